"""A scene: posed images to learn from and to be judged by, and the truth where it is known."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import trimesh
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.views import Views

BACKGROUNDS = ("auto", "white", "black", "random", "none")


@dataclass(frozen=True)
class Scene:
    """Everything known about one scene, normalised so that the object fits the unit ball.

    ``to_world`` is the similarity from scene units to the data's own coordinates. ``sdf`` is the
    exact signed distance in scene units (analytic scenes only). ``ground_truth`` makes the true
    mesh in the data's own coordinates; it may be expensive, so only ``mesh`` calls it.
    ``conventions`` says in words what the numbers mean: units, hold-out rule, image range.
    ``background`` stands behind training views that have masks: white, black, a random colour per
    ray, none (the images as they are), or ``auto``, which waits for a field to settle it.
    """

    name: str
    train: Views
    test: Views
    to_world: Float[np.ndarray, "4 4"]
    background: str
    ground_truth: Callable[[], trimesh.Trimesh] | None = None
    sdf: Callable[[Float[Tensor, "points 3"]], Float[Tensor, "points"]] | None = None
    conventions: dict[str, Any] = field(default_factory=dict)

    def learned_by(self, field: Any) -> "Scene":
        """The same scene, ``auto`` settled: random behind masks for an SDF, white otherwise.

        On one fixed colour a surface can hide in front of what it is to show: what looks like the
        background need not be empty. (A density gains nothing by it and learns noise.)
        """
        if self.background != "auto":
            return self
        hides = "sdf" in field.offers and self.train.mask is not None
        background = "random" if hides else "white"
        conventions = {**self.conventions, "background": background}
        return replace(self, background=background, conventions=conventions)

    @property
    def has_mesh(self) -> bool:
        """Whether a true mesh is known, without making it."""
        return self.ground_truth is not None

    @cached_property
    def mesh(self) -> trimesh.Trimesh | None:
        """The true mesh in the data's own coordinates, made when first asked for; else None."""
        return None if self.ground_truth is None else self.ground_truth()


class Dataset(Protocol):
    """Where a scene comes from: cheap to make, and it reads no image before ``load``."""

    @property
    def offers(self) -> frozenset[str]:
        """Names of the quantities that the images will provide, known before any is read."""
        ...

    def load(self) -> Scene:
        """Read everything. Raises DataError, with the path, for input that is missing or broken."""
        ...


def check_background(background: str, masks: bool = True) -> None:
    """Raise ValueError unless the name is one of the backgrounds that there are with ``masks``."""
    if background not in BACKGROUNDS:
        choices = ", ".join(BACKGROUNDS)
        raise ValueError(f"dataset.background={background!r} is none of {choices}; choose one")
    if background == "random" and not masks:
        raise ValueError(
            "dataset.background=random needs masks to put it behind, and dataset.masks=false gives "
            "them up; use white, black or none"
        )


def describe_masks(meaning: str, used: bool) -> str:
    """What a dataset's masks are, and whether training sees them, in words."""
    return meaning if used or meaning == "none" else f"{meaning}; of test views only"
