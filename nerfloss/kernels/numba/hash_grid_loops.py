"""The inner loops of the hash grid: one thread's share of each operation.

Levels are the outer loop, so that one level's rows stay in cache. Points are processed in blocks
(`nerfloss.kernels.numba.grid_cells`) and run fastest in every array: ``points[3, n]``,
``out[channels, n]``.

``levels`` has a row (resolution, offset, entries, dense) per active level. ``share`` = (begin, end)
are the points of this thread. ``lanes`` is a tuple with one entry per feature of a level: its
length is known at compile time.
"""

import numpy as np

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.grid_cells import (
    BLOCK,
    axes,
    corner_scratch,
    corner_weight_jvp,
    corner_weights,
    locate_cells,
    read_corners,
    scratch,
)


@compiled
def gather(points, table, tangent, levels, lanes, share, out):
    """Write ``sum_corners w table``, or with a tangent ``sum_corners (dw . tangent) table``."""
    rows, fraction, weight = scratch(points)
    entries, corners = table.reshape(table.size), corner_scratch(points, lanes)
    for level in range(len(levels)):
        for begin in range(share[0], share[1], BLOCK):
            count = min(BLOCK, share[1] - begin)
            locate_cells(points, begin, count, levels[level], rows, fraction)
            if len(tangent) == 0:
                corner_weights(fraction, count, weight)
            else:
                corner_weight_jvp(fraction, tangent, levels[level], begin, count, weight)
            _sum(entries, corners, rows, weight, lanes, level * len(lanes), begin, count, out)


@compiled
def vjp(points, table, grad, levels, lanes, share, out):
    """Write ``sum_corners dw (table . grad)``."""
    rows, fraction, value = scratch(points)
    out[:, share[0] : share[1]] = 0
    for level in range(len(levels)):
        scale = points.dtype.type(levels[level, 0])
        for begin in range(share[0], share[1], BLOCK):
            count = min(BLOCK, share[1] - begin)
            locate_cells(points, begin, count, levels[level], rows, fraction)
            _project(table, rows, grad, lanes, level * len(lanes), begin, count, value)
            dx, dy, dz = axes(out, begin, count)
            for i in range(count):
                x, y, z = fraction[0, i], fraction[1, i], fraction[2, i]
                # edges along x, then faces along y, each interpolated in what is left
                dx00, dx10 = value[1, i] - value[0, i], value[3, i] - value[2, i]
                dx01, dx11 = value[5, i] - value[4, i], value[7, i] - value[6, i]
                v00, v10 = value[0, i] + x * dx00, value[2, i] + x * dx10
                v01, v11 = value[4, i] + x * dx01, value[6, i] + x * dx11
                dx0, dx1 = dx00 + y * (dx10 - dx00), dx01 + y * (dx11 - dx01)
                dy0, dy1 = v10 - v00, v11 - v01
                dx[i] += scale * (dx0 + z * (dx1 - dx0))
                dy[i] += scale * (dy0 + z * (dy1 - dy0))
                dz[i] += scale * (v01 + y * dy1 - v00 - y * dy0)


@compiled
def hvp(points, table, grad, tangent, levels, lanes, share, out):
    """Write ``sum_corners (d2w tangent) (table . grad)``: mixed second derivatives only."""
    rows, fraction, value = scratch(points)
    out[:, share[0] : share[1]] = 0
    for level in range(len(levels)):
        scale = points.dtype.type(levels[level, 0] ** 2)
        for begin in range(share[0], share[1], BLOCK):
            count = min(BLOCK, share[1] - begin)
            locate_cells(points, begin, count, levels[level], rows, fraction)
            _project(table, rows, grad, lanes, level * len(lanes), begin, count, value)
            u, v, w = axes(tangent, begin, count)
            hx, hy, hz = axes(out, begin, count)
            for i in range(count):
                xy0 = value[3, i] - value[2, i] - value[1, i] + value[0, i]
                xy1 = value[7, i] - value[6, i] - value[5, i] + value[4, i]
                xz0 = value[5, i] - value[4, i] - value[1, i] + value[0, i]
                yz0 = value[6, i] - value[4, i] - value[2, i] + value[0, i]
                xyz = xy1 - xy0
                xy = scale * (xy0 + fraction[2, i] * xyz)
                xz = scale * (xz0 + fraction[1, i] * xyz)
                yz = scale * (yz0 + fraction[0, i] * xyz)
                hx[i] += xy * v[i] + xz * w[i]
                hy[i] += xy * u[i] + yz * w[i]
                hz[i] += xz * u[i] + yz * v[i]


@compiled
def scatter(points, grad, tangent, jvp_grad, levels, lanes, level, out):
    """Add ``w grad + (dw . tangent) jvp_grad`` to one level's rows; without tangent ``w grad``.

    One thread processes a whole level: threads never write to the same row, and the order of
    additions, hence the last bit, does not depend on the number of threads.
    """
    rows, fraction, weight = scratch(points)
    slope = np.empty_like(weight)
    update = np.empty((8 * len(lanes), BLOCK), points.dtype)
    for begin in range(0, points.shape[1], BLOCK):
        count = min(BLOCK, points.shape[1] - begin)
        locate_cells(points, begin, count, levels[level], rows, fraction)
        corner_weights(fraction, count, weight)
        if len(tangent) > 0:
            corner_weight_jvp(fraction, tangent, levels[level], begin, count, slope)
        for f in range(len(lanes)):
            g = grad[level * len(lanes) + f, begin : begin + count]
            s = jvp_grad[level * len(lanes) + f, begin : begin + count] if len(tangent) > 0 else g
            for k in range(8):
                for i in range(count):
                    update[k * len(lanes) + f, i] = weight[k, i] * g[i]
                    if len(tangent) > 0:
                        update[k * len(lanes) + f, i] += slope[k, i] * s[i]
        for i in range(count):
            for k in range(8):
                row = rows[k, i]
                for f in range(len(lanes)):
                    out[row, f] += update[k * len(lanes) + f, i]


@compiled
def _sum(entries, corners, rows, weight, lanes, first, begin, count, out):
    """Write the weighted sums of the corners' features."""
    read_corners(entries, rows, lanes, count, corners)
    for f in range(len(lanes)):
        total, corner = out[first + f, begin : begin + count], corners[8 * f : 8 * f + 8]
        for i in range(count):
            value = weight[0, i] * corner[0, i]
            for k in range(1, 8):
                value += weight[k, i] * corner[k, i]
            total[i] = value


@compiled
def _project(table, rows, grad, lanes, first, begin, count, value):
    """Write the dot products of the corners' features with a gradient."""
    for i in range(count):
        for k in range(8):
            total = value.dtype.type(0)
            for f in range(len(lanes)):
                total += table[rows[k, i], f] * grad[first + f, begin + i]
            value[k, i] = total
