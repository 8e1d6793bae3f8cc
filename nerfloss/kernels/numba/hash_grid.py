"""The hash grid on the CPU, on several threads.

Implements `nerfloss.kernels.hash_grid.HashGridKernel`. Reads are parallel over points, `scatter`
over levels; results do not depend on the number of threads, to the last bit.
"""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
from jaxtyping import Float
from torch import Tensor

from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.numba import grid_jacobian, hash_grid_loops
from nerfloss.kernels.numba.grid_cells import BLOCK
from nerfloss.kernels.threads import parallel_for, run_tasks


def features(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    out = _empty(points, layout.channels, layout.features * active)
    arrays = [_columns(points), _array(table), _columns(points[:0, :0])]
    _over_points(hash_grid_loops.gather, out, arrays, layout, active)
    return out.t()


def features_and_jacobian(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    layout: GridLayout,
    active: int,
) -> tuple[Float[Tensor, "points channels"], Float[Tensor, "3 channels points"]]:
    out = _empty(points, layout.channels, layout.features * active)
    jacobian = points.new_empty(3, layout.channels, len(points))
    jacobian[:, layout.features * active :] = 0
    arrays = [_columns(points), _array(table)]
    levels, lanes = _levels(layout)[:active], (0,) * layout.features
    value, slope = out.numpy(), jacobian.numpy()

    def share(begin: int, end: int) -> None:
        grid_jacobian.gather(*arrays, levels, lanes, (begin, end), value, slope)

    parallel_for(len(points), share, least=1024, block=BLOCK)
    return out.t(), jacobian


def vjp_from_jacobian(
    jacobian: Float[Tensor, "3 channels points"], grad: Float[Tensor, "points channels"]
) -> Float[Tensor, "points 3"]:
    return _from_jacobian(grid_jacobian.vjp_from_jacobian, jacobian, grad, 3)


def jvp_from_jacobian(
    jacobian: Float[Tensor, "3 channels points"], tangent: Float[Tensor, "points 3"]
) -> Float[Tensor, "points channels"]:
    return _from_jacobian(grid_jacobian.jvp_from_jacobian, jacobian, tangent, jacobian.shape[1])


def vjp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    grad: Float[Tensor, "points channels"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points 3"]:
    out = _empty(points, 3, 3)
    arrays = [_columns(points), _array(table), _columns(grad)]
    _over_points(hash_grid_loops.vjp, out, arrays, layout, active)
    return out.t()


def jvp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    tangent: Float[Tensor, "points 3"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points channels"]:
    out = _empty(points, layout.channels, layout.features * active)
    arrays = [_columns(points), _array(table), _columns(tangent)]
    _over_points(hash_grid_loops.gather, out, arrays, layout, active)
    return out.t()


def hvp(
    points: Float[Tensor, "points 3"],
    table: Float[Tensor, "entries features"],
    grad: Float[Tensor, "points channels"],
    tangent: Float[Tensor, "points 3"],
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "points 3"]:
    out = _empty(points, 3, 3)
    arrays = [_columns(points), _array(table), _columns(grad), _columns(tangent)]
    _over_points(hash_grid_loops.hvp, out, arrays, layout, active)
    return out.t()


def scatter(
    points: Float[Tensor, "points 3"],
    grad: Float[Tensor, "points channels"],
    tangent: Float[Tensor, "points 3"] | None,
    jvp_grad: Float[Tensor, "points channels"] | None,
    layout: GridLayout,
    active: int,
) -> Float[Tensor, "entries features"]:
    out = points.new_zeros(layout.entries, layout.features)
    none = points.new_empty(0, 0)
    optional = [none if extra is None else extra for extra in (tangent, jvp_grad)]
    arrays = [_columns(each) for each in (points, grad, *optional)]
    levels, lanes = _levels(layout)[:active], (0,) * layout.features
    run_tasks(
        # the finest levels, which take longest, come first, so that threads end together
        partial(hash_grid_loops.scatter, *arrays, levels, lanes, level, out.numpy())
        for level in (reversed(range(active)) if len(points) else ())
    )
    return out


def _from_jacobian(loop: Callable, jacobian: Tensor, vectors: Tensor, rows: int) -> Tensor:
    out = jacobian.new_empty(rows, jacobian.shape[2])
    arrays, written = (_array(jacobian), _columns(vectors)), out.numpy()

    def share(begin: int, end: int) -> None:
        loop(*arrays, begin, end, written)

    parallel_for(jacobian.shape[2], share, least=8192)
    return out.t()


def _over_points(
    loop: Callable, out: Tensor, arrays: list[np.ndarray], layout: GridLayout, active: int
) -> None:
    """Run a loop on ranges of the points."""
    levels, lanes = _levels(layout)[:active], (0,) * layout.features
    written = out.numpy()

    def share(begin: int, end: int) -> None:
        loop(*arrays, levels, lanes, (begin, end), written)

    parallel_for(out.shape[1], share, least=1024, block=BLOCK)


@cache
def _levels(layout: GridLayout) -> np.ndarray:
    rows = [(each.resolution, each.offset, each.entries, each.dense) for each in layout.grids]
    return np.array(rows, np.int64)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _columns(tensor: Tensor) -> np.ndarray:
    """Return the transpose, contiguous along points; no copy of tensors that a kernel returned."""
    return tensor.detach().t().contiguous().numpy()


def _empty(points: Tensor, channels: int, written: int) -> Tensor:
    out = points.new_empty(channels, len(points))
    out[written:] = 0
    return out
