"""Directions in space: unit vectors, and random ones."""

from jaxtyping import Float
from torch import Generator, Tensor

from nerfloss.maths.random_numbers import normal, uniform


def unit(vectors: Float[Tensor, "*shape 3"]) -> Float[Tensor, "*shape 3"]:
    """Vectors at length one. Lengths are floored at 1e-6: what is shorter points nowhere."""
    return vectors / vectors.square().sum(-1, keepdim=True).clamp_min(1e-12).sqrt()


def random_directions(
    like: Float[Tensor, "*shape 3"], generator: Generator | None = None
) -> Float[Tensor, "*shape 3"]:
    """Unit vectors spread evenly over the sphere, as many as there are vectors in ``like``."""
    return unit(normal(like.shape, generator, like))


def random_offsets(
    like: Float[Tensor, "*shape 3"], radius: float, generator: Generator | None = None
) -> Float[Tensor, "*shape 3"]:
    """Vectors spread evenly over the ball of ``radius``."""
    share = uniform(like.shape[:-1], generator, like)
    # The volume within a radius grows with its third power.
    reach = radius * share.pow(1 / 3)
    return reach[..., None] * random_directions(like, generator)
