"""The hash grid on a GPU, by Triton.

Implements `nerfloss.kernels.hash_grid.HashGridKernel`. Kernels are compiled at their first launch.
Sums are float32 whatever the table is stored in (float64 for float64 points). Atomics add in any
order, so gradients of the table repeat to rounding, not to the last bit.

Per point and level, reading touches eight sectors of 32 bytes and scattering takes as many atomics.
Both stay in the L2 cache as long as one level's rows fit into it, so all points of a level are
processed before the next level. Points, features and Jacobian are read and written in order, once
per level, which costs little in comparison.
"""

from jaxtyping import Float
from torch import Tensor

from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.triton import grid_gather, grid_jacobian, grid_scatter


def features(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    return grid_gather.gather(points, table, None, layout, active, jacobian=False)[0]


def features_and_jacobian(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> tuple[Float[Tensor, "points channels"], Float[Tensor, "3 channels points"]]:
    return grid_gather.gather(points, table, None, layout, active, jacobian=True)


def jvp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    tangent: Float[Tensor, "points 3"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    return grid_gather.gather(points, table, tangent, layout, active, jacobian=False)[0]


def vjp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    grad: Float[Tensor, "points channels"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points 3"]:
    return grid_gather.project(points, table, grad, None, layout, active)


def hvp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    grad: Float[Tensor, "points channels"],
    tangent: Float[Tensor, "points 3"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points 3"]:
    return grid_gather.project(points, table, grad, tangent, layout, active)


def vjp_from_jacobian(
    jacobian: Float[Tensor, "3 channels points"], grad: Float[Tensor, "points channels"]
) -> Float[Tensor, "points 3"]:
    return grid_jacobian.vjp_from_jacobian(jacobian, grad)


def jvp_from_jacobian(
    jacobian: Float[Tensor, "3 channels points"], tangent: Float[Tensor, "points 3"]
) -> Float[Tensor, "points channels"]:
    return grid_jacobian.jvp_from_jacobian(jacobian, tangent)


def scatter(
    points: Float[Tensor, "points 3"],
    grad: Float[Tensor, "points channels"],
    tangent: Float[Tensor, "points 3"] | None,
    jvp_grad: Float[Tensor, "points channels"] | None,
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "entries features"]:
    return grid_scatter.scatter(points, grad, tangent, jvp_grad, layout, active)
