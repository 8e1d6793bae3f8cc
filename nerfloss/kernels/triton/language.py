"""The only import of Triton: its language, the decorator of kernels, their launch.

To be imported only where `nerfloss.kernels.backend_availability` has no reason against it.
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


# Untyped: code in this language is not run as Python.
triton, tl = _imported()

# Marks an argument whose value is known when a kernel is compiled.
if TYPE_CHECKING:
    constexpr: TypeAlias = Any
else:
    constexpr = tl.constexpr


def jit(function: Callable) -> Any:
    """Return a kernel, or a function of one, that Triton compiles at its first launch.

    Run-time checks of annotations, as the tests install them, are unwrapped first.
    """
    return triton.jit(inspect.unwrap(function))


def launch(kernel: Any, grid: tuple[int, ...], *arguments: Any, **settings: Any) -> None:
    """Launch a kernel on the device of its first tensor, which may not be the current one."""
    first = next(each for each in arguments if isinstance(each, Tensor))
    if min(grid) > 0:
        with torch.cuda.device_of(first):
            kernel[grid](*arguments, **settings)


def accumulation_dtype(points: Tensor) -> tuple[Any, torch.dtype]:
    """Return the type of sums over these points, for Triton and for torch: at least float32."""
    double = points.dtype == torch.float64
    return (tl.float64, torch.float64) if double else (tl.float32, torch.float32)


def with_strides(vectors: Tensor) -> tuple[Tensor, int, int]:
    """Return a matrix and its strides, as kernels take it without a copy."""
    return vectors.detach(), vectors.stride(0), vectors.stride(1)


def cdiv(count: int, size: int) -> int:
    """Return ``ceil(count / size)``."""
    return -(-count // size)


def next_power_of_two(count: int) -> int:
    """Return the smallest power of two that is at least ``count``, as Triton's blocks need it."""
    return 1 << (count - 1).bit_length()
