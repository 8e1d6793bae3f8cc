"""A model: a field, the sampler that looks along rays, and the renderer that answers by name."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nerfloss.geometry import Rays, Samples
from nerfloss.quantities.resolve import Quantities
from nerfloss.renderers.volume import VolumeRenderer


@dataclass(frozen=True)
class Model:
    """Three parts that must fit: the renderer's rules turn what the field offers into opacity."""

    # Modules that keep `Field` and a sampler's call; a user's own need derive from nothing of ours.
    field: Any
    sampler: Any
    renderer: VolumeRenderer

    def __call__(
        self,
        rays: Rays,
        needs: Collection[str],
        *,
        given: Mapping[str, Any],
        generator: torch.Generator | None = None,
    ) -> Quantities:
        """Quantities along rays: jittered with a generator (training), regular without."""
        samples = self.sampler(self.field, rays, generator)
        return self.render(samples, needs, given=given, generator=generator)

    def render(
        self,
        samples: Samples,
        needs: Collection[str],
        *,
        given: Mapping[str, Any],
        generator: torch.Generator | None = None,
    ) -> Quantities:
        """Quantities of samples that were placed before."""
        return self.renderer(self.field, samples, needs, given=given, generator=generator)

    def offers(self, given: Collection[str] = ()) -> frozenset[str]:
        """Every quantity that this model can make, with ``given`` ones (targets) beside it."""
        return self.renderer.offers(self.field, {*given, *getattr(self.sampler, "offers", ())})

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the name under which the optimizer sets their rate."""
        learned = list(self.sampler.parameters())
        return {**self.field.parameter_groups(), **({"sampler": learned} if learned else {})}

    def primitives(self, needs: Collection[str]) -> frozenset[str]:
        """What making all of ``needs`` comes down to, what must be given included."""
        return self.renderer.primitives(self.field, needs)

    def state_dict(self) -> dict[str, Any]:
        return {"field": self.field.state_dict(), "sampler": self.sampler.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.field.load_state_dict(state["field"])
        self.sampler.load_state_dict(state["sampler"])
