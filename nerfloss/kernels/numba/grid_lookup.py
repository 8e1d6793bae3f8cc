"""Look-up of a cached grid along a ray whose origin o and direction d are in units of cells.

Indices are unsigned: numba compares signed ones with 0 at every access, to wrap negative ones.
"""

import numpy as np

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.gather import gather_entries
from nerfloss.kernels.numba.vector_ir import LANES

# Steps that are looked up at once: one by one, most of the time is spent waiting for memory.
AHEAD = 32


@compiled
def cell_of(o, d, t, resolution):
    """Return the cell (z, y, x) that holds the point at distance t."""
    last = resolution - 1
    x, y, z = int(o[0] + t * d[0]), int(o[1] + t * d[1]), int(o[2] + t * d[2])
    x, y, z = min(max(x, 0), last), min(max(y, 0), last), min(max(z, 0), last)
    return np.uintp(z), np.uintp(y), np.uintp(x)


@compiled
def lookup_scratch():
    """Return memory for a look-up: cells, positions in them, and the values at their corners."""
    fractions, corners = np.empty((3, AHEAD), np.float32), np.empty((8, AHEAD), np.float32)
    return np.empty(AHEAD, np.uint32), fractions, corners


@compiled
def nearest(values, o, d, t, step, scratch, out):
    """Write the values of the cells that hold the points at AHEAD distances ``t + i step``."""
    cells, fractions, _ = scratch
    resolution, shift = values.shape[0], np.float32(0)
    _locate(o, d, t, step, shift, np.float32(resolution - 1), resolution, cells, fractions)
    flat = values.reshape(values.size)
    for begin in range(0, AHEAD, LANES):
        gather_entries(flat, cells, begin, 1, 0, out)


@compiled
def trilinear(values, o, d, t, step, scratch, out):
    """Interpolate between cell centres at AHEAD distances ``t + i step``.

    Outside the grid write the value at its border.
    """
    cells, fractions, corners = scratch
    resolution = values.shape[0]
    _locate(
        o,
        d,
        t,
        step,
        np.float32(-0.5),
        np.float32(resolution - 1.001),
        resolution,
        cells,
        fractions,
    )
    flat = values.reshape(values.size)
    y, z = resolution, resolution * resolution
    for begin in range(0, AHEAD, LANES):
        gather_entries(flat, cells, begin, 1, 0, corners[0])
        gather_entries(flat, cells, begin, 1, 1, corners[1])
        gather_entries(flat, cells, begin, 1, y, corners[2])
        gather_entries(flat, cells, begin, 1, y + 1, corners[3])
        gather_entries(flat, cells, begin, 1, z, corners[4])
        gather_entries(flat, cells, begin, 1, z + 1, corners[5])
        gather_entries(flat, cells, begin, 1, z + y, corners[6])
        gather_entries(flat, cells, begin, 1, z + y + 1, corners[7])
    for i in range(AHEAD):
        u, v, w = fractions[0, i], fractions[1, i], fractions[2, i]
        a = corners[0, i] + u * (corners[1, i] - corners[0, i])
        b = corners[2, i] + u * (corners[3, i] - corners[2, i])
        c = corners[4, i] + u * (corners[5, i] - corners[4, i])
        e = corners[6, i] + u * (corners[7, i] - corners[6, i])
        near, far = a + v * (b - a), c + v * (e - c)
        out[i] = near + w * (far - near)


@compiled
def _locate(o, d, t, step, shift, top, resolution, cells, fractions):
    """Write index and position of the cells below points shifted by ``shift``, clamped."""
    for i in range(AHEAD):
        cells[i] = 0
    factor = np.uint32(1)
    for axis in range(3):
        begin, along, fraction = o[axis] + shift, d[axis], fractions[axis]
        for i in range(AHEAD):
            x = begin + (t + np.float32(i) * step) * along
            # the first comparison replaces NaN
            x = x if x > 0 else np.float32(0)
            x = top if x > top else x
            cell = np.int32(x)
            fraction[i] = x - np.float32(cell)
            cells[i] += np.uint32(cell) * factor
        factor *= np.uint32(resolution)
