"""Pixels and their rays on the CPU, one loop each. `nerfloss.kernels.pixel_ops` defines them."""

import numpy as np

from nerfloss.kernels.numba.compile import compiled

_HALF = np.float32(0.5)


@compiled
def positions(flat, width, height, view, pixel):
    """Write the view, and the column and row of the centre, of each pixel."""
    for i in range(len(flat)):
        row = flat[i] // width
        view[i] = row // height
        pixel[i, 0] = np.float32(flat[i] - row * width) + _HALF
        pixel[i, 1] = np.float32(row - view[i] * height) + _HALF


@compiled
def pinhole_rays(view, pixel, matrices, poses, origins, directions):
    """Write the origins and the unit directions of rays through pixels."""
    for i in range(len(view)):
        matrix, pose = matrices[view[i]], poses[view[i]]
        u, v = pixel[i, 0], pixel[i, 1]
        x = matrix[0, 0] * u + matrix[0, 1] * v + matrix[0, 2]
        y = matrix[1, 0] * u + matrix[1, 1] * v + matrix[1, 2]
        z = matrix[2, 0] * u + matrix[2, 1] * v + matrix[2, 2]
        length = np.sqrt(x * x + y * y + z * z)
        directions[i, 0], directions[i, 1], directions[i, 2] = x / length, y / length, z / length
        for axis in range(3):
            origins[i, axis] = pose[axis, 3]
