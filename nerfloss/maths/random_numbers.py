"""Random numbers from a passed generator, or from torch's own stream where none is passed.

A run passes every loss term a generator of its own step, so that it can be repeated and resumed.
Somebody who calls a term by hand may leave ``generator`` out (``None``): then torch's own stream is
drawn from, which ``torch.manual_seed`` starts anew.
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor


def uniform(
    shape: tuple[int, ...], generator: Generator | None, like: Tensor
) -> Float[Tensor, "*shape"]:
    """Numbers spread evenly over [0, 1), of the kind and on the device of ``like``."""
    return torch.rand(shape, generator=generator, device=_home(generator, like)).to(like)


def normal(
    shape: tuple[int, ...], generator: Generator | None, like: Tensor
) -> Float[Tensor, "*shape"]:
    """Numbers of mean 0 and deviation 1, of the kind and on the device of ``like``."""
    return torch.randn(shape, generator=generator, device=_home(generator, like)).to(like)


def _home(generator: Generator | None, like: Tensor) -> torch.device:
    # Drawn where the generator lives, so that a seed means the same on every device.
    return like.device if generator is None else generator.device
