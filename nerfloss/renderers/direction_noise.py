"""Noise of the directions from which colours are learned."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.kernels.directions import unit
from nerfloss.maths.per_ray_random import per_ray


def with_noise(
    directions: Float[Tensor, "rays 3"], noise: float | int, generator: torch.Generator | None
) -> Float[Tensor, "rays 3"]:
    """Return unit directions with uniform noise; as they are without a generator, or noise.

    ``noise`` is the standard deviation in radians, about each of two axes. What depends on the
    direction then has to hold in a neighbourhood of it, and less of a single photograph, such as
    its exposure or its cameras' error, can be explained as a reflection that it alone sees.
    """
    if generator is None or not noise:
        return directions
    uniform = per_ray(tuple(directions.shape), generator, directions.device) - 0.5
    return unit(directions + math.sqrt(12) * noise * uniform)
