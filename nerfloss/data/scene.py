"""A scene: views for training and testing, and the ground-truth geometry if known."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import trimesh
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.reference_files import ReferenceFiles
from nerfloss.data.views import Views

log = logging.getLogger(__name__)

BACKGROUNDS = ("auto", "white", "black", "random", "none", "inpainted")


@dataclass(frozen=True)
class Scene:
    """One scene, normalised so that the object fits the unit ball.

    ``to_world`` is the similarity from scene units to the coordinates of the data. ``sdf`` is the
    exact signed distance in scene units (synthetic scenes only). ``ground_truth`` returns the
    ground-truth mesh in the coordinates of the data; it may be expensive and is called by ``mesh``
    only. ``reference`` names the files of a benchmark's evaluation. ``conventions`` documents
    units, hold-out rule and image range. ``background`` is the colour behind masked training views:
    white, black, random (one colour per ray), inpainted (the photographs' own, filled in behind the
    object), none (the images as stored), or auto, which `resolve_background` replaces.
    ``photographed`` is True if colours outside of the masks are those of a photograph.
    ``true_cameras`` are those of the training views where they have
    been given errors on purpose. ``up`` is the unit direction that points up, in scene axes.
    """

    name: str
    train: Views
    test: Views
    to_world: Float[np.ndarray, "4 4"]
    background: str
    ground_truth: Callable[[], trimesh.Trimesh] | None = None
    sdf: Callable[[Float[Tensor, "points 3"]], Float[Tensor, "points"]] | None = None
    reference: ReferenceFiles | None = None
    conventions: dict[str, Any] = field(default_factory=dict)
    true_cameras: Cameras | None = None
    photographed: bool = False
    up: Float[np.ndarray, "3"] = field(default_factory=lambda: np.array([0.0, 0.0, 1.0]))

    def resolve_background(
        self, field_offers: Collection[str], *, masks_compared: bool = False
    ) -> "Scene":
        """Replace background ``auto``; ``masks_compared`` if a term compares opacities with masks.

        - ``inpainted`` for photographs whose masks are compared. A pixel at the object's border
          shows both: before another background no opacity and colour explain it. Without a term
          for the masks, the photograph's own background would not say where the object ends.
        - ``random`` for an SDF field with masks. On one fixed background colour an SDF can place a
          surface of that colour where the scene is empty. A density field gains nothing from a
          random background, which only adds noise.
        - ``white`` otherwise.
        """
        background = self.background
        if background == "auto":
            background = self._background_for(field_offers, masks_compared)
            if background == "inpainted":
                log.info(
                    "background: inpainted, that of the photographs, filled in behind the object "
                    "(dataset.background)"
                )
        scene = self
        if background == "inpainted":
            train, test = (views.with_inpainted_background() for views in (self.train, self.test))
            scene = replace(self, train=train, test=test)
        elif background == self.background:
            return self
        conventions = {**self.conventions, "background": background}
        return replace(scene, background=background, conventions=conventions)

    def _background_for(self, field_offers: Collection[str], masks_compared: bool) -> str:
        if self.train.mask is None:
            return "white"
        if self.photographed and masks_compared:
            return "inpainted"
        return "random" if "sdf" in field_offers else "white"

    @property
    def has_mesh(self) -> bool:
        """True if there is a ground-truth mesh; does not compute it."""
        return self.ground_truth is not None

    @cached_property
    def mesh(self) -> trimesh.Trimesh | None:
        """Ground-truth mesh in the coordinates of the data; None if unknown. Computed once."""
        return None if self.ground_truth is None else self.ground_truth()


@runtime_checkable
class Dataset(Protocol):
    """A data source. Construction is cheap; no image is read before `load`."""

    @property
    def offers(self) -> frozenset[str]:
        """Names of the quantities that the views provide, known before an image is read."""
        ...

    def load(self) -> Scene:
        """Read the scene. Raises DataError, with the path, for missing or broken input."""
        ...


def check_background(background: str) -> None:
    """Raise ValueError for an unknown background."""
    if background not in BACKGROUNDS:
        choices = ", ".join(BACKGROUNDS)
        raise ValueError(f"dataset.background={background!r} is none of {choices}; choose one")


def check_masked_background(background: str, masks: bool | str) -> None:
    """Raise ValueError for a background that needs masks where there are none."""
    if background in ("random", "inpainted") and not masks:
        raise ValueError(
            f"dataset.background={background} needs masks, which dataset.masks=false disables; "
            "use white, black or none"
        )


def describe_masks(meaning: str, used: bool | str) -> str:
    """Describe the source of the masks, and whether training uses them."""
    return meaning if used or meaning == "none" else f"{meaning}; of test views only"
