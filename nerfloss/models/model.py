"""A model: a field, a sampler that places samples along rays, and a renderer."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nerfloss.geometry import Rays, Samples
from nerfloss.models.parts import Appearance, Background, Renderer, Sampler, TrainedCameras
from nerfloss.quantities.field import TrainedField
from nerfloss.quantities.resolve import Quantities


@dataclass(frozen=True)
class Model:
    """A field, a sampler and a renderer that fit each other, and possibly a background.

    The renderer has rules that compute opacity from the field's quantities, and with a background a
    rule for ``background_rgb``; the sampler then places the samples of both.
    ``cameras`` corrects the cameras of the training views; None: they are those of the data.
    """

    field: TrainedField
    sampler: Sampler
    renderer: Renderer
    background: Background | None = None
    appearance: Appearance | None = None
    cameras: TrainedCameras | None = None

    def __call__(
        self,
        rays: Rays,
        needs: Collection[str],
        *,
        given: Mapping[str, Any],
        generator: torch.Generator | None = None,
    ) -> Quantities:
        """Sample rays and render: jittered with a generator (training), regular without."""
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
        """Return the quantities of given samples."""
        if self.cameras is not None:
            given = {**given, **self.cameras.quantities()}
        return self.renderer(self.field, samples, needs, given=given, generator=generator)

    def refresh(self, step: int, generator: torch.Generator | None = None) -> None:
        """Update what samples are placed by, for a training step."""
        self.sampler.refresh(self.field, step, generator)
        if self.cameras is not None:
            self.cameras.refresh()

    def sampling_rays(self, rays: Rays) -> Rays:
        """Return rays of the training views as samples are placed along them."""
        return rays if self.cameras is None else self.cameras.sampling_rays(rays)

    def training_rays(self, rays: Rays, step: int) -> Rays:
        """Return rays of the training views, with the corrections of their cameras."""
        return rays if self.cameras is None else self.cameras.training_rays(rays, step)

    def advance(self, step: int) -> None:
        """Set the schedules of field and background to a training step."""
        self.field.advance(step)
        if self.background is not None:
            self.background.advance(step)

    def offers(self, given: Collection[str] = ()) -> frozenset[str]:
        """Return the names of all available quantities, where ``given`` ones (targets) are too."""
        own = () if self.cameras is None else self.cameras.quantities()
        return self.renderer.offers(self.field, {*given, *self.sampler.offers, *own})

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters by the name for which the optimizer has settings."""
        learned = list(self.sampler.parameters())
        behind = {} if self.background is None else self.background.parameter_groups()
        images = {} if self.appearance is None else self.appearance.parameter_groups()
        cameras = {} if self.cameras is None else self.cameras.parameter_groups()
        return {
            **self.field.parameter_groups(),
            **({"sampler": learned} if learned else {}),
            **behind,
            **images,
            **cameras,
        }

    def primitives(self, needs: Collection[str]) -> frozenset[str]:
        """Return the quantities without a rule from which all of ``needs`` are computed."""
        return self.renderer.primitives(self.field, needs)

    def state_dict(self) -> dict[str, Any]:
        parts = {
            "field": self.field,
            "sampler": self.sampler,
            "background": self.background,
            "appearance": self.appearance,
            "cameras": self.cameras,
        }
        return {name: part.state_dict() for name, part in parts.items() if part is not None}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.field.load_state_dict(state["field"])
        self.sampler.load_state_dict(state["sampler"])
        if self.background is not None:
            self.background.load_state_dict(state["background"])
        if self.appearance is not None:
            self.appearance.load_state_dict(state["appearance"])
        if self.cameras is not None:
            self.cameras.load_state_dict(state["cameras"])
