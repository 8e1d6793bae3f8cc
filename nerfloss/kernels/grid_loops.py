"""The hash grid's inner loops, compiled by numba: one thread's share of each operation.

Levels are the outer loop, so that one level's rows stay in cache. Points go in blocks: rows and
weights of a block's corners are computed first, free of branches, so that the compiler vectorises
them. Points run fastest in every array, ``points[3, n]`` and ``out[channels, n]``, and blocks are
sliced before they are looped over: an index that might be negative is not vectorised.

``levels`` has a row (resolution, offset, entries, dense) per active level, ``share`` = (begin, end)
is what this thread does, and ``lanes`` is a tuple as long as there are features per level: a length
that the compiler knows. All is in one file, because numba's cache notices only changes in the file
of the function that is called.
"""

import numpy as np

from nerfloss.kernels.compiled import compiled
from nerfloss.kernels.layout import HASH_FACTORS

BLOCK = 256
_FACTOR_Y, _FACTOR_Z = (np.uint32(factor) for factor in HASH_FACTORS[1:])


@compiled
def gather(points, table, tangent, levels, lanes, share, out):
    """Write ``sum_corners w table``, or with a tangent ``sum_corners (dw . tangent) table``."""
    rows, fraction, weight = _scratch(points)
    for level in range(len(levels)):
        for begin in range(share[0], share[1], BLOCK):
            count = min(BLOCK, share[1] - begin)
            _locate(points, begin, count, levels[level], rows, fraction)
            if len(tangent) == 0:
                _weigh(fraction, count, weight)
            else:
                _tilt(fraction, tangent, levels[level], begin, count, weight)
            _sum(table, rows, weight, lanes, level * len(lanes), begin, count, out)


@compiled
def vjp(points, table, grad, levels, lanes, share, out):
    """Write ``sum_corners dw (table . grad)``."""
    rows, fraction, value = _scratch(points)
    out[:, share[0] : share[1]] = 0
    for level in range(len(levels)):
        scale = points.dtype.type(levels[level, 0])
        for begin in range(share[0], share[1], BLOCK):
            count = min(BLOCK, share[1] - begin)
            _locate(points, begin, count, levels[level], rows, fraction)
            _project(table, rows, grad, lanes, level * len(lanes), begin, count, value)
            dx, dy, dz = _axes(out, begin, count)
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
    rows, fraction, value = _scratch(points)
    out[:, share[0] : share[1]] = 0
    for level in range(len(levels)):
        scale = points.dtype.type(levels[level, 0] ** 2)
        for begin in range(share[0], share[1], BLOCK):
            count = min(BLOCK, share[1] - begin)
            _locate(points, begin, count, levels[level], rows, fraction)
            _project(table, rows, grad, lanes, level * len(lanes), begin, count, value)
            u, v, w = _axes(tangent, begin, count)
            hx, hy, hz = _axes(out, begin, count)
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
def scatter(points, grad, tangent, slope_grad, levels, lanes, level, out):
    """Add ``w grad + (dw . tangent) slope_grad`` to one level's rows; no tangent, no second part.

    One thread does a whole level: no two threads meet in a row, and the order of additions, hence
    the last bit, does not depend on how many threads there are.
    """
    rows, fraction, weight = _scratch(points)
    slope = np.empty_like(weight)
    update = np.empty((8 * len(lanes), BLOCK), points.dtype)
    for begin in range(0, points.shape[1], BLOCK):
        count = min(BLOCK, points.shape[1] - begin)
        _locate(points, begin, count, levels[level], rows, fraction)
        _weigh(fraction, count, weight)
        if len(tangent) > 0:
            _tilt(fraction, tangent, levels[level], begin, count, slope)
        for f in range(len(lanes)):
            g = grad[level * len(lanes) + f, begin : begin + count]
            s = slope_grad[level * len(lanes) + f, begin : begin + count] if len(tangent) > 0 else g
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
def _scratch(points):
    """Per block: the eight corners' rows, the position in the cell, eight numbers per point."""
    rows = np.empty((8, BLOCK), np.uint32)
    return rows, np.empty((3, BLOCK), points.dtype), np.empty((8, BLOCK), points.dtype)


@compiled
def _axes(vectors, begin, count):
    end = begin + count
    return vectors[0, begin:end], vectors[1, begin:end], vectors[2, begin:end]


@compiled
def _locate(points, begin, count, level, rows, fraction):
    """Find each point's cell. The comparisons send NaN to cell 0 and leave its fraction NaN."""
    resolution, offset, entries, dense = level
    scale, last = points.dtype.type(resolution), points.dtype.type(resolution - 1)
    side = np.uint32(resolution + 1)
    factor_y = side if dense else _FACTOR_Y
    factor_z = np.uint32(side * side) if dense else _FACTOR_Z
    cell = np.empty((3, BLOCK), np.uint32)
    for axis in range(3):
        along = points[axis, begin : begin + count]
        factor = np.uint32(1) if axis == 0 else factor_y if axis == 1 else factor_z
        for i in range(count):
            scaled = along[i] * scale
            inside = scaled if scaled > 0 else points.dtype.type(0)
            nearest = np.int32(inside if inside < last else last)
            cell[axis, i] = np.uint32(nearest) * factor
            fraction[axis, i] = scaled - points.dtype.type(nearest)
    start, mask = np.uint32(offset), np.uint32(entries - 1)
    for k in range(8):
        row, ahead = rows[k], np.uint32(k & 1)
        ahead_y, ahead_z = np.uint32((k >> 1 & 1) * factor_y), np.uint32((k >> 2) * factor_z)
        for i in range(count):
            x, y, z = cell[0, i] + ahead, cell[1, i] + ahead_y, cell[2, i] + ahead_z
            row[i] = start + (x + y + z if dense else (x ^ y ^ z) & mask)


@compiled
def _weigh(fraction, count, weight):
    """Trilinear weights of the corners."""
    one = fraction.dtype.type(1)
    for i in range(count):
        x, y, z = fraction[0, i], fraction[1, i], fraction[2, i]
        for k in range(8):
            a = x if k & 1 else one - x
            b = y if k & 2 else one - y
            c = z if k & 4 else one - z
            weight[k, i] = a * b * c


@compiled
def _tilt(fraction, tangent, level, begin, count, slope):
    """Change of the weights as the point moves along its tangent."""
    one, scale = fraction.dtype.type(1), fraction.dtype.type(level[0])
    u, v, w = _axes(tangent, begin, count)
    for k in range(8):
        out = slope[k]
        for i in range(count):
            x, y, z = fraction[0, i], fraction[1, i], fraction[2, i]
            a, da = (x, u[i]) if k & 1 else (one - x, -u[i])
            b, db = (y, v[i]) if k & 2 else (one - y, -v[i])
            c, dc = (z, w[i]) if k & 4 else (one - z, -w[i])
            out[i] = scale * (da * b * c + a * db * c + a * b * dc)


@compiled
def _corners(eight, i):
    """Column i, read at once: the compiler cannot know that storing results leaves it alone."""
    lower = eight[0, i], eight[1, i], eight[2, i], eight[3, i]
    return (*lower, eight[4, i], eight[5, i], eight[6, i], eight[7, i])


@compiled
def _sum(table, rows, weight, lanes, first, begin, count, out):
    """Sum the corners' features by weight."""
    for i in range(count):
        row, w = _corners(rows, i), _corners(weight, i)
        for f in range(len(lanes)):
            total = w[0] * table[row[0], f]
            for k in range(1, 8):
                total += w[k] * table[row[k], f]
            out[first + f, begin + i] = total


@compiled
def _project(table, rows, grad, lanes, first, begin, count, value):
    """Dot products of the corners' features with a gradient."""
    for i in range(count):
        for k in range(8):
            total = value.dtype.type(0)
            for f in range(len(lanes)):
                total += table[rows[k, i], f] * grad[first + f, begin + i]
            value[k, i] = total
