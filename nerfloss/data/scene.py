"""A scene: views for training and testing, and the ground-truth geometry if known."""

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

BACKGROUNDS = ("auto", "white", "black", "random", "none")


@dataclass(frozen=True)
class Scene:
    """One scene, normalised so that the object fits the unit ball.

    ``to_world`` is the similarity from scene units to the coordinates of the data. ``sdf`` is the
    exact signed distance in scene units (synthetic scenes only). ``ground_truth`` returns the
    ground-truth mesh in the coordinates of the data; it may be expensive and is called by ``mesh``
    only. ``reference`` names the files of a benchmark's evaluation. ``conventions`` documents
    units, hold-out rule and image range. ``background`` is the colour behind masked training views:
    white, black, random (one colour per ray), none (the images as stored), or auto, which
    `resolve_background` replaces. ``true_cameras`` are those of the training views where they have
    been given errors on purpose.
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

    def resolve_background(self, field_offers: Collection[str]) -> "Scene":
        """Replace background ``auto``: random for an SDF field with masks, white otherwise.

        On one fixed background colour an SDF can place a surface of that colour where the scene is
        empty. A density field gains nothing from a random background, which only adds noise.
        """
        if self.background != "auto":
            return self
        random = "sdf" in field_offers and self.train.mask is not None
        background = "random" if random else "white"
        conventions = {**self.conventions, "background": background}
        return replace(self, background=background, conventions=conventions)

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


def check_random_background(background: str, masks: bool | str) -> None:
    """Raise ValueError for a random background without masks."""
    if background == "random" and not masks:
        raise ValueError(
            "dataset.background=random needs masks, which dataset.masks=false disables; "
            "use white, black or none"
        )


def describe_masks(meaning: str, used: bool | str) -> str:
    """Describe the source of the masks, and whether training uses them."""
    return meaning if used or meaning == "none" else f"{meaning}; of test views only"
