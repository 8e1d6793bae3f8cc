"""Depth buffer of a triangle mesh in one image: the nearest face at the centre of each pixel."""

import numpy as np
from jaxtyping import Float, Int

from nerfloss.kernels.numba.compile import compiled

NO_FACE = -1


def rasterize(
    pixels: Float[np.ndarray, "vertices 2"],
    depth: Float[np.ndarray, "vertices"],
    faces: Int[np.ndarray, "faces 3"],
    width: int,
    height: int,
) -> tuple[Float[np.ndarray, "height width"], Int[np.ndarray, "height width"]]:
    """Return the depth of the nearest face at each pixel's centre, and the index of that face.

    ``pixels`` are (column, row) of the projected vertices; centres of pixels lie at whole numbers
    plus one half. Depth is interpolated as its inverse, which is exact for pinhole cameras. Where
    no face is, the depth is infinite and the index -1. Faces with a vertex at a depth of 0 or less,
    and those with one that has no finite pixel, are left out.
    """
    buffer = np.full((height, width), np.inf)
    index = np.full((height, width), NO_FACE, dtype=np.int64)
    _rasterize(
        np.ascontiguousarray(pixels, dtype=np.float64),
        np.ascontiguousarray(depth, dtype=np.float64),
        np.ascontiguousarray(faces, dtype=np.int64),
        buffer,
        index,
    )
    return buffer, index


@compiled
def _rasterize(pixels, depth, faces, buffer, index):
    height, width = buffer.shape
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        if not (depth[a] > 0 and depth[b] > 0 and depth[c] > 0):
            continue
        ax, ay, bx, by = pixels[a, 0], pixels[a, 1], pixels[b, 0], pixels[b, 1]
        cx, cy = pixels[c, 0], pixels[c, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if not (abs(area) > 0 and abs(area) < np.inf):
            continue
        # Centres from the first to the last inside of the bounding box.
        left = max(np.ceil(min(ax, bx, cx) - 0.5), 0.0)
        right = min(np.floor(max(ax, bx, cx) - 0.5), width - 1.0)
        top = max(np.ceil(min(ay, by, cy) - 0.5), 0.0)
        bottom = min(np.floor(max(ay, by, cy) - 0.5), height - 1.0)
        if left > right or top > bottom:
            continue
        za, zb, zc = 1 / depth[a], 1 / depth[b], 1 / depth[c]
        for row in range(int(top), int(bottom) + 1):
            y = row + 0.5
            for column in range(int(left), int(right) + 1):
                x = column + 0.5
                second = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
                third = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
                first = 1 - second - third
                if first < 0 or second < 0 or third < 0:
                    continue
                z = 1 / (first * za + second * zb + third * zc)
                if z < buffer[row, column]:
                    buffer[row, column] = z
                    index[row, column] = face
