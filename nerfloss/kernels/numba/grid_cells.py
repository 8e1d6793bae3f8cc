"""Cells of a block of points in one level of the hash grid: rows and weights of their corners.

Without branches, so that the compiler vectorises. Points run fastest in every array, and blocks are
sliced before they are looped over: an index that might be negative prevents vectorisation. A level
is a row (resolution, offset, entries, dense).
"""

import numpy as np

from nerfloss.kernels.grid_layout import HASH_FACTORS
from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.gather import gather_entries
from nerfloss.kernels.numba.vector_ir import LANES

BLOCK = 256
_FACTOR_Y, _FACTOR_Z = (np.uint32(factor) for factor in HASH_FACTORS[1:])


@compiled
def scratch(points):
    """Return arrays for a block: the corners' rows, the positions in the cells, corner weights."""
    rows = np.zeros((8, BLOCK), np.uint32)
    return rows, np.empty((3, BLOCK), points.dtype), np.empty((8, BLOCK), points.dtype)


@compiled
def corner_scratch(points, lanes):
    """Return an array for the features of a block's corners, corners faster than features."""
    return np.empty((8 * len(lanes), BLOCK), points.dtype)


@compiled
def read_corners(entries, rows, lanes, count, corners):
    """Write the features of the corners' rows, from the table's entries in one row."""
    for k in range(8):
        # beyond the last point there are rows of an earlier block, or zeros
        for i in range(0, count, LANES):
            for f in range(len(lanes)):
                gather_entries(entries, rows[k], i, len(lanes), f, corners[f * 8 + k])


@compiled
def axes(vectors, begin, count):
    end = begin + count
    return vectors[0, begin:end], vectors[1, begin:end], vectors[2, begin:end]


@compiled
def locate_cells(points, begin, count, level, rows, fraction):
    """Write each point's corner rows and position in its cell; NaN gives cell 0, position NaN."""
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
def corner_weights(fraction, count, weight):
    """Write the trilinear weights of the corners."""
    one = fraction.dtype.type(1)
    for i in range(count):
        x, y, z = fraction[0, i], fraction[1, i], fraction[2, i]
        for k in range(8):
            a = x if k & 1 else one - x
            b = y if k & 2 else one - y
            c = z if k & 4 else one - z
            weight[k, i] = a * b * c


@compiled
def corner_weight_jvp(fraction, tangent, level, begin, count, slope):
    """Write the change of the corner weights as the point moves along its tangent."""
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
