"""Build a run from a configuration, and check that its parts fit before any image is read."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from nerfloss.assembly.appearance_of_views import check_appearance_choice
from nerfloss.assembly.background_settings import with_background_settings
from nerfloss.assembly.build_run import RunParts, build_run
from nerfloss.assembly.checkpoint_portability import loadable
from nerfloss.assembly.composition import compose_config
from nerfloss.assembly.instantiation import build
from nerfloss.assembly.renamed_settings import refuse_renamed_keys
from nerfloss.assembly.run import Run, RunSettings
from nerfloss.assembly.setting_checks import check_settings
from nerfloss.assembly.sweep_config import ablated, plain
from nerfloss.assembly.trust.stored import read_stored, signed_text
from nerfloss.assembly.viewer.viewer_address import HOST, PORT, ViewerAddress
from nerfloss.data.pixel_samplers.protocol import PixelSampling
from nerfloss.fields.hash_grid import check_kernels
from nerfloss.models import Model
from nerfloss.recipe import LossRecipe
from nerfloss.samplers.foreground import ForegroundSampler
from nerfloss.training.batch_size import BatchSize
from nerfloss.training.budget import Budget
from nerfloss.training.callbacks.callback import Callback
from nerfloss.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup


def device_of(name: str) -> torch.device:
    """Return the device that ``device=`` names; ``auto`` is a GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device={name!r} is no device: use auto, cpu, cuda or cuda:1") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={name} was asked for, but torch finds no GPU: use device=auto")
    return device


def build_model(cfg: DictConfig, device: torch.device) -> Model:
    """Build the field, sampler and renderer; a user's own quantities join the renderer's rules."""
    field, sampler = build(cfg.model.field).to(device), build(cfg.sampler).to(device)
    behind, background = {}, build(cfg.get("background"))
    if background is not None:
        background = background.to(device)
        sampler = ForegroundSampler(sampler, background)
        behind["background_rgb"] = background
    check_kernels(field, sampler, *behind.values())
    appearance, of_images = build(cfg.get("appearance")), {}
    if appearance is not None:
        of_images = appearance.to(device).rules(background_model=background is not None)
    rules = {**build(cfg.model.renderer.rules), **behind, **of_images, **build(cfg.quantities)}
    return Model(
        field=field,
        sampler=sampler,
        renderer=build(cfg.model.renderer, rules=rules),
        background=background,
        appearance=appearance,
        cameras=build(cfg.get("cameras")),
    )


def _optimizer_of(cfg: DictConfig, model: Model) -> Any:
    """Build the optimizer; settings that trainer.optimizer leaves null are the model's.

    Settings of the groups of appearance and cameras are theirs, unless the others name these.
    """
    chosen = cfg.trainer.optimizer
    defaults = {
        str(key): value for key, value in cfg.model.optimizer.items() if chosen.get(key) is None
    }
    settings: dict[str, Any] = {}
    if model.cameras is not None:
        settings = {name: dict(of) for name, of in model.cameras.optimizer_settings().items()}
    if model.appearance is not None:
        own = dict.fromkeys(model.appearance.parameter_groups(), model.appearance.learning_rate)
        settings["learning_rates"] = {**own, **settings.get("learning_rates", {})}
    for name, of_groups in settings.items():
        given = defaults.get(name) or chosen.get(name) or {}
        defaults[name] = {**of_groups, **given}
    return build(chosen, **defaults)


def assemble(cfg: DictConfig, folder: Path, process_group: ProcessGroup = SINGLE_PROCESS) -> Run:
    """Build everything that a configuration names, and check that it fits together.

    Raises RecipeError with every fault before an image is read; DataError for broken data.
    """
    refuse_renamed_keys(cfg, "the configuration")
    cfg = with_background_settings(ablated(cfg))
    check_settings(plain(cfg))
    seed_everything(cfg.seed)
    device = device_of(process_group.device_for(cfg.device))
    model = build_model(cfg, device)
    recipe: LossRecipe = build(cfg.loss).to(device)
    dataset, evaluator, diagnostics = build(cfg.dataset), build(cfg.eval), _diagnostics_of(cfg)
    budget = Budget(cfg.trainer.max_steps, cfg.trainer.max_seconds, cfg.trainer.clock)
    batch, batch_size = build(cfg.batch), build(cfg.trainer.batch_size)
    recipe.check(model.offers(offered(dataset.offers, batch, batch_size)))
    recipe.check_batch(batch.patch_size, min(batch_size.rays, batch_size.max_rays))
    recipe.check_sampler(model.sampler.learns_from)
    check_appearance_choice(model, evaluator.appearance)
    viewer = _viewer_of(cfg, process_group)
    scene = dataset.load()
    recipe.check_images(scene.train.cameras.common_size[::-1])
    parts = RunParts(
        scene=scene,
        model=model,
        recipe=recipe,
        batch=batch,
        optimizer=_optimizer_of(cfg, model),
        budget=budget,
        batch_size=batch_size,
        checkpoint_every=cfg.trainer.checkpoint_every,
        preview_every=cfg.trainer.preview_every,
        watchdog=build(cfg.trainer.watchdog),
        diagnostics=diagnostics,
        evaluator=evaluator,
        initialization=build(cfg.initialization),
        torch_threads=OmegaConf.select(cfg, "kernels.torch_threads", default=1),
        viewer=viewer,
    )
    settings = RunSettings(Path(folder), device, cfg.seed, plain(cfg))
    return build_run(parts, settings, signed_text(cfg), process_group)


def rebuild(
    config: str, device: torch.device, where: Path | str = "the configuration"
) -> tuple[Model, LossRecipe]:
    """Return the untrained model and the recipe of a run, from its configuration as YAML text.

    ``where`` names the file that holds the text. Kernels that cannot run on this device are
    replaced by ``auto``. Raises ValueError for code that is not trusted
    (`nerfloss.assembly.trust`), and where a part cannot be built, e.g. because its code cannot be
    imported.
    """
    cfg = loadable(read_stored(config, where, {}), device)
    try:
        return build_model(cfg, device), build(cfg.loss).to(device)
    except InstantiationException as error:
        raise ValueError(
            f"{error}\nThe run's code must be importable: call this in the folder of its training"
        ) from error


def _viewer_of(cfg: DictConfig, process_group: ProcessGroup) -> ViewerAddress | None:
    """Return where the viewer of a training listens, None for ``viewer=off`` and old runs.

    Raises ValueError for ``viewer=on`` with several processes.
    """
    if cfg.get("viewer", "off") == "off":
        return None
    if process_group.size > 1:
        raise ValueError(
            "viewer=on needs a run of one process: each would have to wait for the viewer of the "
            "first; use nerfloss view on the finished run"
        )
    host, port = cfg.get("viewer_host", HOST), cfg.get("viewer_port", PORT)
    return ViewerAddress(host, port)


def _diagnostics_of(cfg: DictConfig) -> Callback | None:
    """Build the diagnostics; None where the configuration has none, as in runs of old versions.

    Raises ValueError where a resumed run without diagnostics is given some.
    """
    node = cfg.get("diagnostics")
    if node is None or isinstance(node, DictConfig):
        return build(node)
    raise ValueError(
        f"diagnostics={node}: a run that is resumed keeps the diagnostics that it began with, and "
        f"this one has none; begin another run with diagnostics=on"
    )


def offered(dataset: frozenset[str], batch: PixelSampling, batch_size: BatchSize) -> frozenset[str]:
    """Return the quantities in batches of a dataset that offers those, before any image is read.

    Raises ValueError if the batch size is smaller than one batch.
    """
    for name, rays in {"rays": batch_size.rays, "max_rays": batch_size.max_rays}.items():
        if rays < batch.least_rays:
            raise ValueError(
                f"trainer.batch_size.{name}={rays} is below the {batch.least_rays} rays "
                f"of one batch (batch.height * batch.width): raise it, or take smaller patches"
            )
    return batch.offers(dataset)


def compose_train(overrides: Sequence[str]) -> DictConfig:
    """Return the configuration that ``nerfloss train`` would run with ``overrides``.

    Raises Hydra's errors for overrides that fit no configuration.
    """
    return compose_config("train", overrides)


def seed_everything(seed: int) -> None:
    """Seed torch, numpy and random, from which parameters and user code are drawn."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (a user's code may use it)
    random.seed(seed)
