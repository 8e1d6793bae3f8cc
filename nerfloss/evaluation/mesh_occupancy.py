"""Which cells of a grid lie inside a watertight mesh: rays along z, counted by parity."""

import numpy as np
import trimesh
from jaxtyping import Bool, Float

# The rays pass beside the cells' centres by an arbitrary fraction, so that they do not meet the
# edges and corners of meshes that were made on a grid.
ASIDE = np.array([0.5 + 0.0137, 0.5 - 0.0071])


def _pairs(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (triangle, column, row) with the column and row in the triangle's own range."""
    spans = np.maximum(last - first + 1, 0)
    counts = spans[:, 0] * spans[:, 1]
    triangle = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(triangle)) - np.repeat(np.cumsum(counts) - counts, counts)
    column, row = np.divmod(within, np.maximum(spans[triangle, 1], 1))
    return triangle, first[triangle, 0] + column, first[triangle, 1] + row


def inside_grid(
    mesh: trimesh.Trimesh,
    low: Float[np.ndarray, "3"],
    high: Float[np.ndarray, "3"],
    cell: float,
) -> Bool[np.ndarray, "x y z"]:
    """Cells whose centre is inside: an odd number of triangles is met on the way there.

    Exact up to a shift of the rays by about a hundredth of a cell.
    """
    shape = np.maximum(np.ceil((high - low) / cell - 1e-9).astype(int), 1)
    # Triangles in units of cells, with a column's ray at integer x and y.
    corners = (mesh.triangles - low) / cell
    corners[..., :2] -= ASIDE
    flat = corners[..., :2]
    first = np.maximum(np.ceil(flat.min(1)).astype(int), 0)
    last = np.minimum(np.floor(flat.max(1)).astype(int), shape[:2] - 1)
    triangle, x, y = _pairs(first, last)
    a, b, c = (corners[triangle, corner] for corner in range(3))
    p = np.stack([x, y], 1)

    def twice_area(one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """Signed, of the triangle of two corners and the ray."""
        u, v = one[:, :2] - p, two[:, :2] - p
        return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]

    # w: barycentric weights, up to their sum; a ray hits where they have one sign.
    w = np.stack([twice_area(b, c), twice_area(c, a), twice_area(a, b)], 1)
    hit = np.flatnonzero((w > 0).all(1) | (w < 0).all(1))
    w = w[hit] / w[hit].sum(1, keepdims=True)
    height = w[:, 0] * a[hit, 2] + w[:, 1] * b[hit, 2] + w[:, 2] * c[hit, 2]
    # The first cell whose centre lies above the crossing changes sides.
    z = np.clip(np.ceil(height - 0.5), 0, shape[2]).astype(int)
    crossings = np.zeros((*shape[:2], shape[2] + 1), dtype=np.uint8)
    np.add.at(crossings, (x[hit], y[hit], z), 1)
    return (np.cumsum(crossings, axis=2, dtype=np.uint8)[..., :-1] & 1).astype(bool)
