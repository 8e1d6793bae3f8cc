"""Operations on points on the CPU, one loop each.

`nerfloss.kernels.point_ops` defines them. Points are written as ``3 points``, the layout that
kernels read.
"""

import numpy as np

from nerfloss.kernels.numba.compile import compiled

_HALF = np.float32(0.5)
_TINY = np.float32(1e-12)


@compiled
def nonempty_intervals(starts, ends, index):
    """Write the flat indices of the intervals of positive length; return their number."""
    count = 0
    for ray in range(len(starts)):
        for i in range(starts.shape[1]):
            if ends[ray, i] > starts[ray, i]:
                index[count] = ray * starts.shape[1] + i
                count += 1
    return count


@compiled
def interval_midpoints(origins, directions, starts, ends, index, out):
    """Write the midpoints of the intervals with these flat indices."""
    samples = starts.shape[1]
    for k in range(len(index)):
        ray = index[k] // samples
        i = index[k] - ray * samples
        middle = _HALF * (starts[ray, i] + ends[ray, i])
        for axis in range(3):
            out[axis, k] = origins[ray, axis] + middle * directions[ray, axis]


@compiled
def to_unit_cube(points, box, unit, scale):
    """Write points mapped to the unit cube and clamped, and the derivative per axis."""
    for axis in range(3):
        lower = box[0, axis]
        extent = box[1, axis] - lower
        inverse = np.float32(1) / extent
        for i in range(points.shape[1]):
            free = (points[axis, i] - lower) / extent
            outside = free < 0 or free > 1
            inside = np.float32(0) if free < 0 else np.float32(1)
            # comparisons that keep NaN
            unit[axis, i] = inside if outside else free
            scale[axis, i] = np.float32(0) if outside else inverse


@compiled
def region_cells_below(values, region, limit, index):
    """Write the flat indices of the region's cells below ``limit``; return their number."""
    count, size = 0, values.shape[0]
    for z in range(size):
        for y in range(size):
            for x in range(size):
                if region[z, y, x] and abs(values[z, y, x]) < limit:
                    index[count] = (z * size + y) * size + x
                    count += 1
    return count


@compiled
def region_cells_in_turn(values, region, threshold, turn, of_dense, of_other, index):
    """Write the flat indices of the region's cells whose turn it is; return their number."""
    count, size = 0, values.shape[0]
    for z in range(size):
        for y in range(size):
            row = (z * size + y) * size
            # Remainders are counted along: a division takes as long as the rest.
            dense, other = (y + z - turn) % of_dense, (row - turn) % of_other
            for x in range(size):
                if region[z, y, x] and (dense if values[z, y, x] > threshold else other) == 0:
                    index[count] = row + x
                    count += 1
                dense = dense + 1 if dense + 1 < of_dense else 0
                other = other + 1 if other + 1 < of_other else 0
    return count


@compiled
def points_in_cells(index, size, box, offsets, out):
    """Write a point in each cell of ``index``: at ``offsets`` (0 to 1), or its centre."""
    x_edge, y_edge, z_edge = ((box[1, 0] - box[0, 0]) / size, (box[1, 1] - box[0, 1]) / size,
                              (box[1, 2] - box[0, 2]) / size)  # fmt: skip
    for k in range(len(index)):
        rest = index[k] // size
        x, y, z = index[k] - rest * size, rest % size, rest // size
        u, v, w = _HALF, _HALF, _HALF
        if len(offsets) > 0:
            u, v, w = offsets[k, 0], offsets[k, 1], offsets[k, 2]
        out[0, k] = box[0, 0] + (np.float32(x) + u) * x_edge
        out[1, k] = box[0, 1] + (np.float32(y) + v) * y_edge
        out[2, k] = box[0, 2] + (np.float32(z) + w) * z_edge


@compiled
def meets_box(origin, direction, box):
    """Return the distances at which a ray enters and leaves a box; 0 and 0 where it misses."""
    enter, leave = np.float32(0), np.float32(np.inf)
    for axis in range(3):
        along = direction[axis] if abs(direction[axis]) >= _TINY else _TINY
        first = (box[0, axis] - origin[axis]) / along
        second = (box[1, axis] - origin[axis]) / along
        enter, leave = max(enter, min(first, second)), min(leave, max(first, second))
    return (enter, leave) if leave > enter else (np.float32(0), np.float32(0))
