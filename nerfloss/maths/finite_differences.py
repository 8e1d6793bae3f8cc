"""Finite differences of images: what changes from a pixel to the next."""

from jaxtyping import Float
from torch import Tensor


def forward_differences(
    images: Float[Tensor, "images height width channels"],
) -> tuple[Float[Tensor, "images rows columns channels"], ...]:
    """Change to the pixel on the right and to the pixel below, where a pixel has both."""
    here = images[:, :-1, :-1]
    return images[:, :-1, 1:] - here, images[:, 1:, :-1] - here
