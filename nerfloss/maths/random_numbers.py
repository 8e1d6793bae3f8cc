"""Random numbers from a passed generator, or from torch's global one where it is None.

A run passes a generator seeded by the step to every loss term, so that it can be repeated and
resumed. When a term is called directly, ``generator`` may be omitted.
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor


def uniform(
    shape: tuple[int, ...], generator: Generator | None, like: Tensor
) -> Float[Tensor, "*shape"]:
    """Return uniform random numbers in [0, 1), with the dtype and device of ``like``."""
    return torch.rand(shape, generator=generator, device=_device(generator, like)).to(like)


def normal(
    shape: tuple[int, ...], generator: Generator | None, like: Tensor
) -> Float[Tensor, "*shape"]:
    """Return standard normal random numbers, with the dtype and device of ``like``."""
    return torch.randn(shape, generator=generator, device=_device(generator, like)).to(like)


def _device(generator: Generator | None, like: Tensor) -> torch.device:
    # Drawn on the device of the generator, so that numbers do not depend on that of the data.
    return like.device if generator is None else generator.device
