"""Density warm-up: a small density field trained first, from which an SDF takes its first shape.

An SDF that starts far from the object can get stuck; a density field cannot, since density may
appear anywhere. A few hundred cheap steps locate the object well enough to initialize an SDF.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from nerfloss.data.pixel_samplers.uniform import UniformPixelSampler
from nerfloss.data.views import Views
from nerfloss.fields.appearance import RadianceColor
from nerfloss.fields.density import DensityField
from nerfloss.fields.hash_grid import HashGrid
from nerfloss.kernels.compositing import density_alphas
from nerfloss.losses.photometric import huber
from nerfloss.models import Background, Model, Sampler
from nerfloss.quantities.field import TrainedField
from nerfloss.renderers.volume import VolumeRenderer
from nerfloss.samplers.foreground import ForegroundSampler
from nerfloss.samplers.occupancy import OccupancySampler
from nerfloss.training.optimizer import Optimizer


@dataclass(frozen=True)
class WarmupResult:
    """The trained field, and the fraction of the pixels' variance that it explains (at most 1).

    ``background_model`` is the background that was trained with the field, if any.
    """

    field: TrainedField
    explained_variance: float
    background_model: Background | None = None


@dataclass(frozen=True)
class DensityWarmup:
    """Train a small density field for ``steps`` steps of about ``samples`` samples each.

    ``max_resolution`` is the resolution of the grid's finest level, ``occupancy_resolution`` that
    of the occupancy cache. The hash grid uses ``learning_rate``, the networks the lower
    ``network_learning_rate``: at the grid's rate all density can vanish before colour is learned.
    Both rates rise over ``warmup_steps`` and decay to ``end_factor`` times their value. ``backend``
    selects the kernels.
    """

    steps: int = 300
    samples: int = 2048
    rays: int = 1024
    learning_rate: float = 5e-2
    network_learning_rate: float = 3e-3
    end_factor: float = 0.3
    warmup_steps: int = 5
    max_resolution: int = 64
    occupancy_resolution: int = 32
    backend: str = "auto"

    def __call__(
        self,
        views: Views,
        *,
        background: str,
        seed: int,
        device: torch.device | str,
        background_model: Background | None = None,
    ) -> WarmupResult:
        """Train on the views. The result depends on ``seed`` only, not on the global generator.

        A copy of ``background_model`` is trained with the field.
        """
        model = self._model(seed, device, copy.deepcopy(background_model))
        pixels = UniformPixelSampler(
            views, background=background, seed=seed, device=device, needs={"target_rgb"}
        )
        optimizer = self._optimizer(model)
        rays, errors, variances = self.rays, [], []
        for step in range(self.steps):
            generator = torch.Generator(device).manual_seed(seed * 1_000_003 + step)
            batch = pixels.draw(step, rays)
            model.sampler.refresh(model.field, step, generator)
            values = model(batch.rays, {"rgb"}, given=batch.targets, generator=generator)
            target = values["target_rgb"]
            loss = huber(values["rgb"], target).mean()
            if loss.requires_grad:
                optimizer.step(loss, step, step / self.steps)
            if step >= 4 * self.steps // 5:
                errors.append((values["rgb"].detach() - target).square().mean())
                variances.append((target - target.mean(0)).square().mean())
            rays = self._rays(rays, int(values["occupied"].sum()))
        unexplained = torch.stack(errors).mean() / torch.stack(variances).mean().clamp_min(1e-12)
        return WarmupResult(model.field, 1 - float(unexplained), model.background)

    def _model(self, seed: int, device: torch.device | str, background: Background | None) -> Model:
        # The warm-up must not advance the global generator that initializes the run's own model.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            grid = HashGrid(
                levels=6,
                log2_hashmap_size=15,
                max_resolution=self.max_resolution,
                backend=self.backend,
            )
            appearance = RadianceColor(embedding=16, hidden=1, width=32, backend=self.backend)
            field = DensityField(grid, appearance, embedding=16, width=32).to(device)
        sampler: Sampler = OccupancySampler(
            samples=8, resolution=self.occupancy_resolution, refresh_every=16, backend=self.backend
        ).to(device)
        rules: dict[str, Callable] = {"alphas": partial(density_alphas, backend=self.backend)}
        if background is not None:
            rules["background_rgb"] = background
            sampler = ForegroundSampler(sampler, background).to(device)
        renderer = VolumeRenderer(rules, color_threshold=1e-3, backend=self.backend)
        return Model(field, sampler, renderer, background)

    def _optimizer(self, model: Model) -> Optimizer:
        groups = model.parameter_groups()
        grids = ("grid", "background_grid")
        rates = {name: self.network_learning_rate for name in groups if name not in grids}
        return Optimizer(
            groups, learning_rate=self.learning_rate, learning_rates=rates,
            warmup_steps=self.warmup_steps, end_factor=self.end_factor,
        )  # fmt: skip

    def _rays(self, rays: int, samples: int) -> int:
        """Move the number of rays a tenth of the way towards the sample budget."""
        wanted = min(rays * self.samples / max(samples, 1), 4 * self.rays)
        return max(1, round(0.9 * rays + 0.1 * wanted))
