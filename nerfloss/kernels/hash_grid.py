"""The hash-grid operation: which kernel computes it, and how gradients flow through it."""

from importlib import import_module
from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.kernels.backend_selection import select_backend
from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.reference import hash_grid as reference

# The file of each kernel.
FILES = {
    "reference": "reference.hash_grid",
    "cpu": "numba.hash_grid",
    "triton": "triton.hash_grid",
    "tcnn": "tinycudann",
}


@runtime_checkable
class HashGridKernel(Protocol):
    """Operations on points of the unit cube; `nerfloss.kernels.reference.hash_grid` defines them.

    Points are not clamped here: those outside extrapolate their cell, NaN gives NaN. With jacobian at
    hand, `vjp_from_jacobian` and `jvp_from_jacobian` are what `vjp` and `jvp` find by reading the table again:
    faster, at 12 bytes per point and channel.
    """

    def features(
        self, points: Tensor, table: Tensor, layout: GridLayout, active: int
    ) -> Tensor: ...

    def features_and_jacobian(
        self, points: Tensor, table: Tensor, layout: GridLayout, active: int
    ) -> tuple[Tensor, Tensor]: ...

    def vjp_from_jacobian(self, jacobian: Tensor, grad: Tensor) -> Tensor: ...

    def jvp_from_jacobian(self, jacobian: Tensor, tangent: Tensor) -> Tensor: ...

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
        jvp_grad: Tensor | None,
        layout: GridLayout,
        active: int,
    ) -> Tensor: ...


def select_kernel(
    backend: str, table: Float[Tensor, "entries features"], stored: torch.dtype | None = None
) -> HashGridKernel:
    """The kernel of that name, or for ``auto`` the fastest that can run on the table's device.

    ``stored`` is the kind of number that it reads, None: the table's own. Raises ValueError for a
    name that does not exist or cannot run there.
    """
    name = select_backend(backend, table.device, stored or table.dtype)
    # imported when it is needed: numba takes half a second to load, the others may be missing
    return cast(HashGridKernel, import_module(f"nerfloss.kernels.{FILES[name]}"))


def encode(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int | None = None,
    backend: str = "auto",
    stored: torch.dtype | None = None,
) -> Float[Tensor, "points channels"]:
    """Features of points in the unit cube; outside it, those of the nearest point on its border.

    Levels from ``active`` on give 0 (None: all are active). NaN points have NaN features. The table
    is read as ``stored`` numbers (None: its own); its gradient is summed, and given, in full.
    Differentiable in points and table: once with compiled kernels, to any order with the reference.
    """
    active = layout.levels if active is None else active
    check_active(layout, active)
    points = points.clamp(0, 1)
    found = select_kernel(backend, table, stored)
    if found is reference and stored is None:
        return found.features(points, table, layout, active)
    return _Encode.apply(points, table, layout, active, found, stored)


def check_active(layout: GridLayout, active: int) -> None:
    """Raises ValueError where a grid has no such number of levels."""
    if not 0 <= active <= layout.levels:
        raise ValueError(f"asked for {active} active levels, the grid has {layout.levels}")


class _Encode(torch.autograd.Function):
    """Features by a compiled kernel, with the exact first derivatives."""

    @staticmethod
    def forward(
        ctx: Any,
        points: Tensor,
        table: Tensor,
        layout: GridLayout,
        active: int,
        chosen: HashGridKernel,
        stored: torch.dtype | None,
    ) -> Tensor:
        table = table if stored is None else table.to(stored)
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
        return to_points, to_table, None, None, None, None
