"""``nerfloss train``: train a model, evaluate it, and report its scores to a sweep."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from nerfloss.assembly.dataset_choice import dataset_overrides
from nerfloss.cli.hydra_entry import carry_out, run_hydra
from nerfloss.cli.run_imports import import_run_modules
from nerfloss.training.distributed import torchrun_env


def run(arguments: Sequence[str]) -> None:
    """Train with the configuration that ``arguments`` compose."""
    run_hydra(job, "train", [*arguments, *dataset_overrides(arguments)])


def job(cfg: DictConfig) -> Any:
    """Run one training job. See `train`."""
    return carry_out(train, cfg)


def train(cfg: DictConfig) -> Any:
    """Train, or continue a run, and evaluate; return the scores that a sweep asks for.

    None if the run was interrupted. A job of a sweep that its folder lists as finished returns the
    scores that were written there; an unfinished one continues from its checkpoint.

    Raises ValueError for settings that mean several runs, and whatever `assemble` raises.
    """
    from nerfloss.assembly.sweep_config import check_one_run, objectives_of, plain
    from nerfloss.experiments.sweeps.job_status import (
        checkpoint_of,
        is_finished,
        objective_values,
        scores_of,
    )

    settings, config = HydraConfig.get(), plain(cfg)
    folder, swept = Path(settings.runtime.output_dir), settings.mode == RunMode.MULTIRUN
    check_one_run(config, swept=swept)
    torchrun_env.refuse_sweeps(swept)
    objectives = list(objectives_of(config))
    if swept and is_finished(folder, config):
        _sign(cfg, folder)
        logging.getLogger("nerfloss").info("finished before: %s", folder)
        return objective_values(scores_of(folder) or {}, objectives)
    if cfg.trainer.resume:
        scores = _continue(cfg, folder)
    else:
        scores = _begin(cfg, folder, checkpoint_of(folder) if swept else None)
    if scores is None and swept:
        raise KeyboardInterrupt  # else the sweep would go on with its next job
    return None if scores is None else objective_values(scores, objectives)


def _begin(cfg: DictConfig, folder: Path, checkpoint: Path | None) -> Mapping[str, float] | None:
    """Train by a new configuration, from ``checkpoint`` where there is one."""
    from nerfloss.assembly.preflight_checks import preflight_checks

    preflight_checks(cfg)
    import_run_modules()
    from nerfloss.assembly.hardware_presets import fitted
    from nerfloss.assembly.sweep_config import plain

    overrides = HydraConfig.get().overrides
    asked = [*overrides.task]
    found = [word for word in overrides.hydra if word.startswith("hydra.searchpath=")]
    chosen = fitted(cfg, folder, [*found, *asked], keep=torchrun_env.is_main_process())
    _sign(chosen, folder)
    return _train_and_evaluate(chosen, plain(cfg), folder, checkpoint, asked)


def _sign(cfg: DictConfig, folder: Path) -> None:
    """Mark the configuration in a run's folder as this user's own; they have composed it."""
    from nerfloss.assembly.trust.stored import keep_signed

    if torchrun_env.is_main_process():
        keep_signed(cfg, folder)


def _continue(cfg: DictConfig, folder: Path) -> Mapping[str, float] | None:
    """Train on by the configuration of the run that ``trainer.resume`` names."""
    from nerfloss.assembly.hardware_presets import with_chunks_for_here
    from nerfloss.assembly.preflight_checks import preflight_checks
    from nerfloss.assembly.saved_config import saved_config
    from nerfloss.assembly.sweep_config import plain
    from nerfloss.training.checkpoint import latest

    asked = [*HydraConfig.get().overrides.task]
    changed = [word for word in asked if not word.startswith("trainer.resume")]
    resume = cfg.trainer.resume
    saved, checkpoint = saved_config(Path(resume), changed), latest(resume)
    preflight_checks(saved)
    import_run_modules()
    chosen = with_chunks_for_here(saved)
    return _train_and_evaluate(
        chosen, plain(saved), folder, checkpoint, asked, resumed=Path(resume), changed=changed
    )


def _train_and_evaluate(
    cfg: DictConfig,
    config: Mapping[str, Any],
    folder: Path,
    checkpoint: Path | None,
    overrides: Sequence[str],
    *,
    resumed: Path | None = None,
    changed: Sequence[str] = (),
) -> Mapping[str, float] | None:
    """Return the scores, or None if the run was interrupted; ``config`` is what is recorded.

    ``resumed`` is the folder of a run that goes on, and ``changed`` are the overrides that it goes
    on with.
    """
    # Imported here: --help and refused settings must not wait for torch.
    from nerfloss.assembly.build import assemble
    from nerfloss.assembly.provenance import STOPPED, recorded, write_provenance
    from nerfloss.assembly.resumed_settings import changes_of, recorded_changes
    from nerfloss.assembly.sweep_config import write_ablation
    from nerfloss.training.distributed.init_process_group import init_process_group

    hardware = cfg.get("hardware")
    kept = recorded(
        folder,
        config,
        overrides=overrides,
        hardware=hardware,
        resumed=resumed is not None,
        same=resumed is not None and not changed,
    )
    is_main = torchrun_env.is_main_process()
    kept = kept if is_main else nullcontext(dict[str, Any]())
    with ExitStack() as opened:
        # What was recorded of a run stays where it cannot go on.
        record = opened.enter_context(kept) if resumed is None else None
        group = opened.enter_context(init_process_group(cfg.device))
        folder = group.broadcast(folder)
        if group.is_main:
            write_ablation(config, folder)
        run = assemble(cfg, folder, group)
        if checkpoint is not None:
            run.load(checkpoint, changed)
        record = opened.enter_context(kept) if record is None else record
        record["processes"] = group.size
        if resumed is not None and group.is_main:
            earlier = record["changed"]
            if changes := changes_of(resumed, earlier, changed, config):
                record["changed"] = recorded_changes(earlier, changes, run.trainer.step)
                write_provenance(folder, record)  # now: a run that is killed must have it, too
        if run.train():
            return run.evaluate().values
        record["status"] = STOPPED
        return None
