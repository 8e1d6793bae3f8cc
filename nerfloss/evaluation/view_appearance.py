"""Appearance with which single views are rendered and scored, where a model has one per image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from nerfloss.evaluation.image_rendering import Render, View

FIT_LEFT_HALF = "fit_left_half"
# How a view that was not trained on gets an appearance.
Choice = Literal["mean", "identity", "fit_left_half"]


@dataclass(frozen=True)
class ViewAppearance:
    """A ``render`` for each view, and the ``description`` of its appearance.

    Where the left half of a view was used to fit it, only the right half is scored.

    Reference: Martin-Brualla et al., "NeRF in the Wild", CVPR 2021, section 5, for this protocol.
    """

    render_of: Callable[[View], Render]
    description: str
    left_half_fitted: bool = False

    def scored(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the part of a view's images that is scored: the right half, or all of them."""
        if not self.left_half_fitted:
            return dict(images)
        return {name: image[:, middle_column(image.shape[1]) :] for name, image in images.items()}


def check_choice(choice: str) -> None:
    """Raise ValueError for a choice of ``eval.appearance`` that does not exist."""
    if choice not in get_args(Choice):
        raise ValueError(f"eval.appearance='{choice}' is none of {', '.join(get_args(Choice))}")


def middle_column(width: int) -> int:
    """Return the first column of the right half of an image."""
    return width // 2
