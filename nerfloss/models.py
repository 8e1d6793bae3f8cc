"""A model: a field, a sampler that places samples along rays, and a renderer."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nerfloss.geometry import Rays, Samples
from nerfloss.quantities.field import Field, TrainedField
from nerfloss.quantities.resolve import Quantities


@runtime_checkable
class Sampler(Protocol):
    """A module that places samples along rays: jittered with a generator, regular without.

    ``offers`` names the quantities that come with its samples; ``learns_from`` the one through
    which a loss term trains it, if any. ``supports_prefetch`` is True if sampling depends only on
    state that ``refresh`` updates, so that a step can be sampled while the previous one runs.
    ``region`` is a mask of the cells of the field's box to which ``restrict_to`` limits samples;
    None if that is not supported.
    """

    offers: frozenset[str]
    supports_prefetch: bool
    learns_from: str | None

    def __call__(self, field: Any, rays: Rays, generator: torch.Generator | None) -> Samples: ...
    def refresh(self, field: Any, step: int, generator: torch.Generator | None = None) -> None: ...
    @property
    def region(self) -> Bool[Tensor, "x y z"] | None: ...
    def restrict_to(self, region: Bool[Tensor, "x y z"]) -> None: ...
    def sampled_region(self, field: Any) -> Bool[Tensor, "x y z"] | None: ...
    def parameters(self) -> Any: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...


@runtime_checkable
class Renderer(Protocol):
    """A renderer: computes quantities, by name, from a field and samples along rays."""

    def offers(self, field: Field, given: Collection[str] = ()) -> frozenset[str]: ...
    def primitives(self, field: Field, needs: Collection[str]) -> frozenset[str]: ...
    def __call__(
        self,
        field: Field,
        samples: Samples,
        needs: Collection[str],
        *,
        given: Mapping[str, Any],
        generator: torch.Generator | None = None,
    ) -> Quantities: ...


@runtime_checkable
class Appearance(Protocol):
    """A module with a row of learned numbers per training image, on which its colours depend.

    ``constants`` are the quantities behind ``rgb`` that do not depend on the rows, if any.
    ``correction`` holds numbers, 0, that added to a row make that of a further image.
    """

    constants: frozenset[str]
    learning_rate: float
    correction: Tensor

    def set_images(self, sizes: Int[Tensor, "images 2"]) -> None: ...
    def values(self) -> Float[Tensor, "images *row"]: ...
    def mean(self) -> Float[Tensor, "*row"]: ...
    @property
    def start(self) -> Float[Tensor, "*row"]: ...
    def given(
        self, row: Float[Tensor, "*row"], width: int, height: int
    ) -> Mapping[str, Tensor]: ...
    def parameter_groups(self) -> dict[str, list[nn.Parameter]]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...


@runtime_checkable
class TrainedCameras(Protocol):
    """Corrections of the training views' cameras that are learned with the field.

    ``training_rays`` are corrected differentiably; ``sampling_rays`` as at the last `refresh`.
    ``tolerance`` is the error of orientation, in degrees, that is expected at the start.
    """

    tolerance: float

    def set_cameras(self, cameras: Any, device: torch.device | str) -> None: ...
    def allocate(self, views: int, focal_lengths: int) -> None: ...
    def training_rays(self, rays: Rays, step: int) -> Rays: ...
    def sampling_rays(self, rays: Rays) -> Rays: ...
    def refresh(self) -> None: ...
    def refined(self, cameras: Any) -> Any: ...
    def fit_view(self, render: Any, rays: Rays, target: Tensor, pixels: Tensor) -> Rays: ...
    def quantities(self) -> Mapping[str, Tensor]: ...
    def parameter_groups(self) -> dict[str, list[nn.Parameter]]: ...
    def optimizer_settings(self) -> Mapping[str, Mapping[str, Any]]: ...
    def double(self) -> Any: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...


@runtime_checkable
class Background(Protocol):
    """A module that computes ``background_rgb``, for what lies outside of the unit ball.

    ``place`` returns its samples along rays by name, ``refresh`` updates what they depend on.
    """

    def __call__(self, *quantities: Tensor) -> Tensor: ...
    def place(self, rays: Rays, generator: torch.Generator | None) -> Mapping[str, Tensor]: ...
    def refresh(self, step: int, generator: torch.Generator | None) -> None: ...
    def advance(self, step: int) -> None: ...
    def parameter_groups(self) -> dict[str, list[nn.Parameter]]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...


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
