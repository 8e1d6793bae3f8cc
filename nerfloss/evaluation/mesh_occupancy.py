"""Occupancy of a grid by a watertight mesh: parity of the crossings of rays along z.

trimesh's own test needs rtree or embree.
"""

import numpy as np
import trimesh
from jaxtyping import Bool, Float

# Fractions of a cell at which rays pass: off the centre, so that they do not meet the edges and
# corners of meshes that were made on a grid.
RAY_OFFSET = np.array([0.5 + 0.0137, 0.5 - 0.0071])


def inside_grid(
    mesh: trimesh.Trimesh,
    low: Float[np.ndarray, "3"],
    high: Float[np.ndarray, "3"],
    cell: float,
) -> Bool[np.ndarray, "x y z"]:
    """Return the cells whose centre is inside: a ray to it crosses the mesh an odd number of times.

    Exact up to the offset of the rays, about a hundredth of a cell.
    """
    shape = np.maximum(np.ceil((high - low) / cell - 1e-9).astype(int), 1)
    # In units of cells, with the ray of a column at integer x and y.
    corners = (mesh.triangles - low) / cell
    corners[..., :2] -= RAY_OFFSET
    first = np.maximum(np.ceil(corners[..., :2].min(1)).astype(int), 0)
    last = np.minimum(np.floor(corners[..., :2].max(1)).astype(int), shape[:2] - 1)
    triangle, x, y = _rays_per_triangle(first, last)
    a, b, c = (corners[triangle, corner] for corner in range(3))
    ray = np.stack([x, y], 1).astype(float)
    # w: barycentric weights times twice the area; a ray hits where they have one sign.
    w = np.stack([_twice_area(ray, b, c), _twice_area(ray, c, a), _twice_area(ray, a, b)], 1)
    hit = np.flatnonzero((w > 0).all(1) | (w < 0).all(1))
    w = w[hit] / w[hit].sum(1, keepdims=True)
    height = w[:, 0] * a[hit, 2] + w[:, 1] * b[hit, 2] + w[:, 2] * c[hit, 2]
    # The first cell whose centre lies above the crossing changes sides.
    z = np.clip(np.ceil(height - 0.5), 0, shape[2]).astype(int)
    crossings = np.zeros((*shape[:2], shape[2] + 1), dtype=np.uint8)
    np.add.at(crossings, (x[hit], y[hit], z), 1)
    return (np.cumsum(crossings, axis=2, dtype=np.uint8)[..., :-1] & 1).astype(bool)


def _rays_per_triangle(
    first: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all (triangle, x, y) with x and y between a triangle's first and last ray."""
    spans = np.maximum(last - first + 1, 0)
    counts = spans[:, 0] * spans[:, 1]
    triangle = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(triangle)) - np.repeat(np.cumsum(counts) - counts, counts)
    x, y = np.divmod(within, np.maximum(spans[triangle, 1], 1))
    return triangle, first[triangle, 0] + x, first[triangle, 1] + y


def _twice_area(
    ray: Float[np.ndarray, "pairs 2"],
    start: Float[np.ndarray, "pairs 3"],
    end: Float[np.ndarray, "pairs 3"],
) -> Float[np.ndarray, "pairs"]:
    """Return twice the signed area of the triangle of a ray and an edge, seen along z."""
    u, v = start[:, :2] - ray, end[:, :2] - ray
    return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
