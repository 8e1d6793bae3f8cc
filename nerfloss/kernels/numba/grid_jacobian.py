"""Features of the hash grid and their Jacobian, in one pass over the table.

From the Jacobian, ``J^T g`` and ``J v`` are sums over contiguous memory instead of random accesses
to the table.
"""

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.grid_cells import (
    BLOCK,
    corner_scratch,
    locate_cells,
    read_corners,
    scratch,
)


@compiled
def gather(points, table, levels, lanes, share, out, jacobian):
    """Write ``sum_corners w table`` and its derivatives ``jacobian[axis, channel, point]``."""
    rows, fraction, _ = scratch(points)
    entries, corners = table.reshape(table.size), corner_scratch(points, lanes)
    for level in range(len(levels)):
        scale = points.dtype.type(levels[level, 0])
        for begin in range(share[0], share[1], BLOCK):
            count = min(BLOCK, share[1] - begin)
            locate_cells(points, begin, count, levels[level], rows, fraction)
            read_corners(entries, rows, lanes, count, corners)
            for f in range(len(lanes)):
                channel, end = level * len(lanes) + f, begin + count
                _interpolate(
                    corners[f * 8 : f * 8 + 8],
                    fraction,
                    scale,
                    out[channel, begin:end],
                    jacobian[0, channel, begin:end],
                    jacobian[1, channel, begin:end],
                    jacobian[2, channel, begin:end],
                )


@compiled
def _interpolate(corner, fraction, scale, value, along_x, along_y, along_z):
    for i in range(len(value)):
        x, y, z = fraction[0, i], fraction[1, i], fraction[2, i]
        # edges along x, then faces along y, each interpolated in what is left
        dx00, dx10 = corner[1, i] - corner[0, i], corner[3, i] - corner[2, i]
        dx01, dx11 = corner[5, i] - corner[4, i], corner[7, i] - corner[6, i]
        v00, v10 = corner[0, i] + x * dx00, corner[2, i] + x * dx10
        v01, v11 = corner[4, i] + x * dx01, corner[6, i] + x * dx11
        dx0, dx1 = dx00 + y * (dx10 - dx00), dx01 + y * (dx11 - dx01)
        dy0, dy1 = v10 - v00, v11 - v01
        v0, v1 = v00 + y * dy0, v01 + y * dy1
        value[i] = v0 + z * (v1 - v0)
        along_x[i] = scale * (dx0 + z * (dx1 - dx0))
        along_y[i] = scale * (dy0 + z * (dy1 - dy0))
        along_z[i] = scale * (v1 - v0)


@compiled
def vjp_from_jacobian(jacobian, grad, begin, end, out):
    """Write ``J^T grad``: sums over channels."""
    for axis in range(3):
        total = out[axis, begin:end]
        for i in range(len(total)):
            total[i] = 0
        for channel in range(len(grad)):
            slope, g = jacobian[axis, channel, begin:end], grad[channel, begin:end]
            for i in range(len(total)):
                total[i] += slope[i] * g[i]


@compiled
def jvp_from_jacobian(jacobian, tangent, begin, end, out):
    """Write ``J tangent``: sums over axes."""
    u, v, w = tangent[0, begin:end], tangent[1, begin:end], tangent[2, begin:end]
    for channel in range(len(out)):
        x, y, z = (jacobian[0, channel, begin:end], jacobian[1, channel, begin:end],
                   jacobian[2, channel, begin:end])  # fmt: skip
        total = out[channel, begin:end]
        for i in range(len(total)):
            total[i] = x[i] * u[i] + y[i] * v[i] + z[i] * w[i]
