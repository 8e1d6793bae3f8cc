"""Directions in space: unit vectors, and random ones."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor


def unit(vectors: Float[Tensor, "*shape 3"]) -> Float[Tensor, "*shape 3"]:
    """Vectors at length one. Lengths are floored at 1e-6: what is shorter points nowhere."""
    return vectors / vectors.square().sum(-1, keepdim=True).clamp_min(1e-12).sqrt()


def random_directions(
    like: Float[Tensor, "*shape 3"], generator: Generator
) -> Float[Tensor, "*shape 3"]:
    """Unit vectors spread evenly over the sphere, as many as there are vectors in ``like``."""
    # Drawn where the generator lives, so that a seed means the same on every device.
    drawn = torch.randn(like.shape, generator=generator, device=generator.device)
    return unit(drawn.to(like))


def random_offsets(
    like: Float[Tensor, "*shape 3"], radius: float, generator: Generator
) -> Float[Tensor, "*shape 3"]:
    """Vectors spread evenly over the ball of ``radius``."""
    share = torch.rand(like.shape[:-1], generator=generator, device=generator.device)
    # The volume within a radius grows with its third power.
    reach = radius * share.to(like).pow(1 / 3)
    return reach[..., None] * random_directions(like, generator)
