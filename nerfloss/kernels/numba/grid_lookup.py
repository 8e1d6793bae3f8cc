"""Look-up of a cached grid along a ray whose origin o and direction d are in units of cells.

Indices are unsigned: numba compares signed ones with 0 at every access, to wrap negative ones.
"""

import numpy as np

from nerfloss.kernels.numba.compile import compiled


@compiled
def cell_of(o, d, t, resolution):
    """Return the cell (z, y, x) that holds the point at distance t."""
    last = resolution - 1
    x, y, z = int(o[0] + t * d[0]), int(o[1] + t * d[1]), int(o[2] + t * d[2])
    x, y, z = min(max(x, 0), last), min(max(y, 0), last), min(max(z, 0), last)
    return np.uintp(z), np.uintp(y), np.uintp(x)


@compiled
def trilinear(values, o, d, t):
    """Interpolate between cell centres; outside the grid return the value at its border."""
    half, top = np.float32(0.5), np.float32(values.shape[0] - 1.001)
    x = min(max(o[0] + t * d[0] - half, np.float32(0)), top)
    y = min(max(o[1] + t * d[1] - half, np.float32(0)), top)
    z = min(max(o[2] + t * d[2] - half, np.float32(0)), top)
    i, j, k = np.uint32(np.int32(x)), np.uint32(np.int32(y)), np.uint32(np.int32(z))
    u, v, w = x - np.float32(i), y - np.float32(j), z - np.float32(k)
    one = np.uint32(1)
    a = _between(values, k, j, i, u)
    b = _between(values, k, j + one, i, u)
    c = _between(values, k + one, j, i, u)
    e = _between(values, k + one, j + one, i, u)
    near, far = a + v * (b - a), c + v * (e - c)
    return near + w * (far - near)


@compiled
def _between(values, k, j, i, u):
    left = values[k, j, i]
    return left + u * (values[k, j, i + np.uint32(1)] - left)
