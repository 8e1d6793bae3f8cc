"""The hash grid on a GPU, by Triton's kernels: the operation of `nerfloss.kernels.reference.hash_grid`.

Nothing is built: Triton compiles a kernel when it is first launched. Sums are float32 whatever the
table is stored in (float64 for float64 points). Atomics add in any order, so gradients of the table
repeat to rounding, not to the last bit.

What bounds it on a GPU: reading touches eight lines of 32 bytes per point and level, scattering as
many atomics, and both live in the L2 cache as long as one level's rows fit into it. So all points
of a level come before the next level. What is read and written in order (points, features, jacobian)
passes through device memory, once per level, which is little beside it.
"""

from jaxtyping import Float
from torch import Tensor

from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.triton import grid_gather as triton_gather
from nerfloss.kernels.triton import grid_jacobian as triton_slopes
from nerfloss.kernels.triton import grid_scatter as triton_scatter


def features(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    """Interpolate the grid: ``f = sum_corners w(x) table``; 0 for levels from ``active`` on."""
    return triton_gather.read(points, table, None, layout, active, jacobian=False)[0]


def features_and_jacobian(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> tuple[Float[Tensor, "points channels"], Float[Tensor, "3 channels points"]]:
    """Features, and their derivatives ``J`` by the point, in the unit cube."""
    return triton_gather.read(points, table, None, layout, active, jacobian=True)


def jvp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    tangent: Float[Tensor, "points 3"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    """Change of the features as the point moves: ``J tangent``."""
    return triton_gather.read(points, table, tangent, layout, active, jacobian=False)[0]


def vjp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    grad: Float[Tensor, "points channels"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points 3"]:
    """Gradient of ``grad . f`` with respect to the point: ``J^T grad``, in the unit cube."""
    return triton_gather.project(points, table, grad, None, layout, active)


def hvp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    grad: Float[Tensor, "points channels"],
    tangent: Float[Tensor, "points 3"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points 3"]:
    """Second derivative of ``grad . f``, along ``tangent``: ``H tangent``."""
    return triton_gather.project(points, table, grad, tangent, layout, active)


def vjp_from_jacobian(
    jacobian: Float[Tensor, "3 channels points"], grad: Float[Tensor, "points channels"]
) -> Float[Tensor, "points 3"]:
    """``J^T grad``, from the jacobian."""
    return triton_slopes.vjp_from_jacobian(jacobian, grad)


def jvp_from_jacobian(
    jacobian: Float[Tensor, "3 channels points"], tangent: Float[Tensor, "points 3"]
) -> Float[Tensor, "points channels"]:
    """``J tangent``, from the jacobian."""
    return triton_slopes.jvp_from_jacobian(jacobian, tangent)


def scatter(
    points: Float[Tensor, "points 3"],
    grad: Float[Tensor, "points channels"],
    tangent: Float[Tensor, "points 3"] | None,
    jvp_grad: Float[Tensor, "points channels"] | None,
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "entries features"]:
    """Gradient of ``grad . f + jvp_grad . J tangent`` with respect to the table.

    The second part is left out where ``tangent`` is None.
    """
    return triton_scatter.scatter(points, grad, tangent, jvp_grad, layout, active)
