"""Lengths and directions of vectors, and random directions in space."""

from jaxtyping import Float
from torch import Generator, Tensor

from nerfloss.maths.random_numbers import normal, uniform


def length(vectors: Float[Tensor, "*shape channels"]) -> Float[Tensor, "*shape"]:
    """Return Euclidean lengths, floored at 1e-6 so that the gradient is finite (0) at 0."""
    return vectors.square().sum(-1).clamp_min(1e-12).sqrt()


def unit(
    vectors: Float[Tensor, "*shape channels"], *, floor: float = 1e-6
) -> Float[Tensor, "*shape channels"]:
    """Return vectors scaled to length 1; shorter ones than ``floor`` are divided by ``floor``."""
    return vectors / vectors.square().sum(-1, keepdim=True).clamp_min(floor**2).sqrt()


def random_directions(
    like: Float[Tensor, "*shape 3"], generator: Generator | None = None
) -> Float[Tensor, "*shape 3"]:
    """Return one random unit vector, uniform on the sphere, for each vector of ``like``."""
    return unit(normal(like.shape, generator, like))


def random_offsets(
    like: Float[Tensor, "*shape 3"], radius: float, generator: Generator | None = None
) -> Float[Tensor, "*shape 3"]:
    """Return one random vector, uniform in the ball of ``radius``, for each vector of ``like``."""
    # The volume within a radius grows with its third power.
    radii = radius * uniform(like.shape[:-1], generator, like).pow(1 / 3)
    return radii[..., None] * random_directions(like, generator)
