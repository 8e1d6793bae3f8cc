"""The hash-grid encoding: the interface of its kernels, and the encoding with autograd."""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.kernels.backend_selection import implementation, select_backend
from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.reference import hash_grid as reference


@runtime_checkable
class HashGridKernel(Protocol):
    """The operations of a hash grid, which every backend implements as a module.

    ``f(x)`` are the features at a point ``x`` of the unit cube: ``f = sum_corners w(x) table``,
    with trilinear weights ``w`` of the corners of the point's cell. ``J = df/dx`` is their Jacobian
    and ``H`` the Hessian of ``grad . f``. Derivatives are per unit of the cube. Levels from
    ``active`` on give 0. Points are not clamped: outside the cube the border's cell extrapolates.
    NaN points give NaN.
    """

    def features(
        self,
        points: Float[Tensor, "points 3"],
        table: Float[Tensor, "entries features"],
        layout: GridLayout,
        active: int,
    ) -> Float[Tensor, "points channels"]:
        """Return ``f``."""
        ...

    def features_and_jacobian(
        self,
        points: Float[Tensor, "points 3"],
        table: Float[Tensor, "entries features"],
        layout: GridLayout,
        active: int,
    ) -> tuple[Float[Tensor, "points channels"], Float[Tensor, "3 channels points"]]:
        """Return ``f`` and ``J``, in one pass over the table.

        From ``J``, `vjp_from_jacobian` and `jvp_from_jacobian` need no further access to the table,
        for 12 bytes of memory per point and channel.
        """
        ...

    def vjp_from_jacobian(
        self, jacobian: Float[Tensor, "3 channels points"], grad: Float[Tensor, "points channels"]
    ) -> Float[Tensor, "points 3"]:
        """Return ``J^T grad``."""
        ...

    def jvp_from_jacobian(
        self, jacobian: Float[Tensor, "3 channels points"], tangent: Float[Tensor, "points 3"]
    ) -> Float[Tensor, "points channels"]:
        """Return ``J tangent``."""
        ...

    def vjp(
        self,
        points: Float[Tensor, "points 3"],
        table: Float[Tensor, "entries features"],
        grad: Float[Tensor, "points channels"],
        layout: GridLayout,
        active: int,
    ) -> Float[Tensor, "points 3"]:
        """Return ``J^T grad``, the gradient of ``grad . f`` with respect to the points."""
        ...

    def jvp(
        self,
        points: Float[Tensor, "points 3"],
        table: Float[Tensor, "entries features"],
        tangent: Float[Tensor, "points 3"],
        layout: GridLayout,
        active: int,
    ) -> Float[Tensor, "points channels"]:
        """Return ``J tangent``, the change of the features as the points move along ``tangent``."""
        ...

    def hvp(
        self,
        points: Float[Tensor, "points 3"],
        table: Float[Tensor, "entries features"],
        grad: Float[Tensor, "points channels"],
        tangent: Float[Tensor, "points 3"],
        layout: GridLayout,
        active: int,
    ) -> Float[Tensor, "points 3"]:
        """Return ``H tangent``. Inside a cell only mixed second derivatives are not 0."""
        ...

    def scatter(
        self,
        points: Float[Tensor, "points 3"],
        grad: Float[Tensor, "points channels"],
        tangent: Float[Tensor, "points 3"] | None,
        jvp_grad: Float[Tensor, "points channels"] | None,
        layout: GridLayout,
        active: int,
    ) -> Float[Tensor, "entries features"]:
        """Return the gradient of ``grad . f + jvp_grad . J tangent`` with respect to the table.

        The second term is left out where ``tangent`` is None.
        """
        ...


def select_kernel(
    backend: str, table: Float[Tensor, "entries features"], stored: torch.dtype | None = None
) -> HashGridKernel:
    """Return the kernel of a backend, or for ``auto`` the fastest for the table's device.

    ``stored`` is the dtype in which the table is read (None: its own). Raises ValueError for a
    backend that does not exist or cannot run there.
    """
    return implementation("hash_grid", select_backend(backend, table.device, stored or table.dtype))


def encode(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int | None = None,
    backend: str = "auto",
    stored: torch.dtype | None = None,
) -> Float[Tensor, "points channels"]:
    """Return the features of points; those outside the unit cube are clamped to its border.

    Levels from ``active`` on give 0 (None: all are active). NaN points have NaN features. The table
    is read in the dtype ``stored`` (None: its own); its gradient is accumulated and returned in the
    table's own dtype. Differentiable in points and table: once with compiled kernels, to any order
    with the reference.
    """
    active = layout.levels if active is None else active
    check_active(layout, active)
    points = points.clamp(0, 1)
    kernel = select_kernel(backend, table, stored)
    if kernel is reference and stored is None:
        return kernel.features(points, table, layout, active)
    return _Encode.apply(points, table, layout, active, kernel, stored)


def check_active(layout: GridLayout, active: int) -> None:
    """Raise ValueError for a number of active levels that the grid does not have."""
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
        kernel: HashGridKernel,
        stored: torch.dtype | None,
    ) -> Tensor:
        table = table if stored is None else table.to(stored)
        ctx.save_for_backward(points, table)
        ctx.settings = layout, active, kernel
        return kernel.features(points, table, layout, active)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        points, table = ctx.saved_tensors
        layout, active, kernel = ctx.settings
        grad_points = grad_table = None
        if ctx.needs_input_grad[0]:
            grad_points = kernel.vjp(points, table, grad, layout, active)
        if ctx.needs_input_grad[1]:
            grad_table = kernel.scatter(points, grad, None, None, layout, active)
        return grad_points, grad_table, None, None, None, None
