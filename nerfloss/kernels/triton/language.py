"""The one place that imports Triton: its language, the decorator of our kernels, their launch.

Import it only where `nerfloss.kernels.backend_availability` finds nothing against it.
"""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor


def _imported() -> tuple[Any, Any]:
    import triton  # pyright: ignore[reportMissingImports]
    import triton.language  # pyright: ignore[reportMissingImports]

    return triton, triton.language


# Of no type that a checker knows: what is written in this language is not run as Python.
triton, tl = _imported()

# Marks an argument whose value is known when a kernel is compiled.
if TYPE_CHECKING:
    constexpr: TypeAlias = Any
else:
    constexpr = tl.constexpr


def jit(function: Callable) -> Any:
    """A kernel or a part of one, compiled by Triton when it is first launched.

    Run-time checks of annotations, as the tests install them, wrap functions: what is compiled is
    what they wrap.
    """
    return triton.jit(inspect.unwrap(function))


def launch(kernel: Any, grid: tuple[int, ...], *arguments: Any, **settings: Any) -> None:
    """Run a kernel where its first tensor lies, which need not be the current device."""
    first = next(each for each in arguments if isinstance(each, Tensor))
    if min(grid) > 0:
        with torch.cuda.device_of(first):
            kernel[grid](*arguments, **settings)


def real(points: Tensor) -> tuple[Any, torch.dtype]:
    """What sums over these points are made in, for Triton and for torch: at least float32."""
    double = points.dtype == torch.float64
    return (tl.float64, torch.float64) if double else (tl.float32, torch.float32)


def strided(vectors: Tensor) -> tuple[Tensor, int, int]:
    """As a kernel takes a matrix: however it lies, without a copy."""
    return vectors.detach(), vectors.stride(0), vectors.stride(1)


def blocks(count: int, size: int) -> int:
    """How many blocks of that size hold so many."""
    return -(-count // size)


def lanes(features: int) -> int:
    """The power of two that holds so many: Triton's blocks have no other lengths."""
    return 1 << (features - 1).bit_length()
