"""Where points lie in the levels of a hash grid: rows, fractions and weights of a block's corners.

Free of branches, so that the compiler vectorises it. Points run fastest in every array, and blocks
are sliced before they are looped over: an index that might be negative is not vectorised.
A level is a row (resolution, offset, entries, dense).
"""

import numpy as np

from nerfloss.kernels.grid_layout import HASH_FACTORS
from nerfloss.kernels.numba.compile import compiled

BLOCK = 256
_FACTOR_Y, _FACTOR_Z = (np.uint32(factor) for factor in HASH_FACTORS[1:])


@compiled
def scratch(points):
    """Per block: the eight corners' rows, the position in the cell, eight numbers per point."""
    rows = np.empty((8, BLOCK), np.uint32)
    return rows, np.empty((3, BLOCK), points.dtype), np.empty((8, BLOCK), points.dtype)


@compiled
def axes(vectors, begin, count):
    end = begin + count
    return vectors[0, begin:end], vectors[1, begin:end], vectors[2, begin:end]


@compiled
def locate(points, begin, count, level, rows, fraction):
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
def weigh(fraction, count, weight):
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
def tilt(fraction, tangent, level, begin, count, slope):
    """Change of the weights as the point moves along its tangent."""
    one, scale = fraction.dtype.type(1), fraction.dtype.type(level[0])
    u, v, w = axes(tangent, begin, count)
    for k in range(8):
        out = slope[k]
        for i in range(count):
            x, y, z = fraction[0, i], fraction[1, i], fraction[2, i]
            a, da = (x, u[i]) if k & 1 else (one - x, -u[i])
            b, db = (y, v[i]) if k & 2 else (one - y, -v[i])
            c, dc = (z, w[i]) if k & 4 else (one - z, -w[i])
            out[i] = scale * (da * b * c + a * db * c + a * b * dc)
