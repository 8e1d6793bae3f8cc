"""Quantities of a view's pixels: per-ray ones rendered once, all others in chunks of rays."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from nerfloss.assembly.loss_maps.term_inputs import PATCH_RULES, axes_of
from nerfloss.evaluation.image_rendering import View
from nerfloss.evaluation.oom_retry import ChunkSize
from nerfloss.models import Model
from nerfloss.quantities.resolve import Quantities


@dataclass
class ViewQuantities:
    """A model, a view, and what is ``given`` beside: the step, its progress, the patches' shape."""

    model: Model
    view: View
    given: Mapping[str, Any]
    chunk: int
    images: dict[str, Tensor] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        return self.model.field.box.device

    @cached_property
    def offers(self) -> frozenset[str]:
        """Names of all quantities that a term can take here."""
        return self.model.offers({*self.given, *self.view.batch.targets})

    def chunks(self) -> ChunkSize:
        return ChunkSize(self.chunk, "chunk")

    def render_images(self, names: Collection[str]) -> None:
        """Render per-ray quantities of the whole view, which `of_images` then returns parts of."""
        wanted = {name for name in names if axes_of(name)[:1] == ["rays"]}
        if not wanted:
            return

        def render_rows(rows: slice) -> dict[str, Tensor]:
            found = self.of_rays(torch.arange(rows.start, rows.stop), wanted)
            return {name: found[name].detach() for name in wanted}

        with torch.no_grad():
            parts = list(self.chunks().results(render_rows, len(self.view.batch.rays)))
        self.images |= {name: torch.cat([part[name] for part in parts]) for name in wanted}

    def of_images(self, index: Int[Tensor, "pixels"], *, leaf: str | None = None) -> Quantities:
        """Return the rendered quantities of pixels, and those on patches.

        ``index`` is in patch order for a term on patches; one can differentiate by ``leaf``.
        """
        rows = index.to(self.device)
        values = {name: image.index_select(0, rows) for name, image in self.images.items()}
        if leaf in values:
            values[leaf].requires_grad_()
        return Quantities({**self.given, "generator": self.generator(), **values}, PATCH_RULES)

    def of_rays(self, index: Int[Tensor, "pixels"], needs: Collection[str]) -> Quantities:
        """Sample and render the rays of pixels, regularly; differentiable where grad is enabled."""
        batch = self.view.batch
        count = len(batch.rays)
        rays = batch.rays[index.to(batch.rays.origins.device)].to(self.device)
        targets = {
            name: value[index.to(value.device)].to(self.device)
            if isinstance(value, Tensor) and _per_ray(name, value, count)
            else value
            for name, value in batch.targets.items()
        }
        samples = self.model.sampler(self.model.field, rays, None)
        given = {**targets, **self.given}
        return self.model.render(samples, needs, given=given, generator=self.generator())

    def generator(self) -> torch.Generator:
        """Return the random numbers of a call: always the same."""
        return torch.Generator(self.device).manual_seed(0)


def _per_ray(name: str, value: Tensor, rays: int) -> bool:
    if axes := axes_of(name):
        return axes[0] == "rays"
    return value.ndim > 0 and len(value) == rays
