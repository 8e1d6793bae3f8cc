"""The hash-grid operation: which kernel computes it, and how gradients flow through it."""

import logging
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.kernels import reference
from nerfloss.kernels.availability import why_never, why_not
from nerfloss.kernels.layout import GridLayout

log = logging.getLogger(__name__)

# The file of each kernel; "auto" is the fastest that can run.
FILES = {"reference": "reference", "cpu": "cpu", "triton": "triton_grid", "tcnn": "tcnn"}
BACKENDS = ("auto", *FILES)


@runtime_checkable
class Kernel(Protocol):
    """Operations on points of the unit cube; `nerfloss.kernels.reference` defines them.

    Points are not clamped here: those outside extrapolate their cell, NaN gives NaN. With slopes at
    hand, `pull_back` and `push_forward` are what `vjp` and `jvp` find by reading the table again:
    faster, at 12 bytes per point and channel.
    """

    def features(
        self, points: Tensor, table: Tensor, layout: GridLayout, active: int
    ) -> Tensor: ...

    def features_and_slopes(
        self, points: Tensor, table: Tensor, layout: GridLayout, active: int
    ) -> tuple[Tensor, Tensor]: ...

    def pull_back(self, slopes: Tensor, grad: Tensor) -> Tensor: ...

    def push_forward(self, slopes: Tensor, tangent: Tensor) -> Tensor: ...

    def vjp(
        self, points: Tensor, table: Tensor, grad: Tensor, layout: GridLayout, active: int
    ) -> Tensor: ...

    def jvp(
        self, points: Tensor, table: Tensor, tangent: Tensor, layout: GridLayout, active: int
    ) -> Tensor: ...

    def hvp(
        self,
        points: Tensor,
        table: Tensor,
        grad: Tensor,
        tangent: Tensor,
        layout: GridLayout,
        active: int,
    ) -> Tensor: ...

    def scatter(
        self,
        points: Tensor,
        grad: Tensor,
        tangent: Tensor | None,
        slope_grad: Tensor | None,
        layout: GridLayout,
        active: int,
    ) -> Tensor: ...


def kernel(backend: str, table: Float[Tensor, "entries features"]) -> Kernel:
    """The kernel of that name, or for ``auto`` the fastest that can run on the table's device.

    Raises ValueError for a name that does not exist or cannot run there.
    """
    _check_name(backend)
    name = _fastest(table.device, table.dtype) if backend == "auto" else backend
    _refuse(backend, why_not(name, table.device, table.dtype))
    # imported when it is needed: numba takes half a second to load, the others may be missing
    return cast(Kernel, import_module(f"nerfloss.kernels.{FILES[name]}"))


def check_backend(backend: str) -> None:
    """Raises ValueError for a name that does not exist or cannot run on this machine at all."""
    _check_name(backend)
    _refuse(backend, why_never(backend))


def _refuse(backend: str, reason: str | None) -> None:
    if reason is not None:
        raise ValueError(
            f"hash-grid backend '{backend}' cannot run: {reason}; "
            "backend=auto takes the fastest that can"
        )


def _check_name(backend: str) -> None:
    if backend not in BACKENDS:
        raise ValueError(
            f"asked for hash-grid backend '{backend}', there are {', '.join(BACKENDS)}"
        )


def _fastest(device: torch.device, dtype: torch.dtype) -> str:
    if why_not("cpu", device, dtype) is None:
        return "cpu"
    if device.type != "cuda":
        return "reference"
    reason = why_not("triton", device, dtype)
    if reason is not None:
        _say_once(reason)
    return "triton" if reason is None else "reference"


@cache
def _say_once(reason: str) -> None:
    log.info("the hash grid runs on plain PyTorch, Triton would be faster: %s", reason)


def encode(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int | None = None,
    backend: str = "auto",
) -> Float[Tensor, "points channels"]:
    """Features of points in the unit cube; outside it, those of the nearest point on its border.

    Levels from ``active`` on give 0 (None: all are active). NaN points have NaN features.
    Differentiable in points and table: once with compiled kernels, to any order with the reference.
    """
    active = layout.levels if active is None else active
    check_active(layout, active)
    points = points.clamp(0, 1)
    chosen = kernel(backend, table)
    if chosen is reference:
        return chosen.features(points, table, layout, active)
    return _Encode.apply(points, table, layout, active, chosen)


def check_active(layout: GridLayout, active: int) -> None:
    """Raises ValueError where a grid has no such number of levels."""
    if not 0 <= active <= layout.levels:
        raise ValueError(f"asked for {active} active levels, the grid has {layout.levels}")


class _Encode(torch.autograd.Function):
    """Features by a compiled kernel, with the exact first derivatives."""

    @staticmethod
    def forward(
        ctx: Any, points: Tensor, table: Tensor, layout: GridLayout, active: int, chosen: Kernel
    ) -> Tensor:
        ctx.save_for_backward(points, table)
        ctx.settings = layout, active, chosen
        return chosen.features(points, table, layout, active)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        points, table = ctx.saved_tensors
        layout, active, chosen = ctx.settings
        to_points = to_table = None
        if ctx.needs_input_grad[0]:
            to_points = chosen.vjp(points, table, grad, layout, active)
        if ctx.needs_input_grad[1]:
            to_table = chosen.scatter(points, grad, None, None, layout, active)
        return to_points, to_table, None, None, None
