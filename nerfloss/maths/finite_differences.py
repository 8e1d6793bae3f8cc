"""Finite differences of images."""

from jaxtyping import Float
from torch import Tensor


def forward_differences(
    images: Float[Tensor, "images height width channels"],
) -> tuple[Float[Tensor, "images rows columns channels"], ...]:
    """Return the differences to the right and to the lower neighbour, where a pixel has both."""
    here = images[:, :-1, :-1]
    return images[:, :-1, 1:] - here, images[:, 1:, :-1] - here
