"""Exact distance from points to a triangle mesh, by a tree over small triangles."""

import numpy as np
import trimesh
from jaxtyping import Float
from scipy.spatial import KDTree

from nerfloss.evaluation.nearest_neighbours import nearest, tree_of

CANDIDATES = (8, 32, 128, 512)  # triangles tried per point, until it is settled
CHUNK = 4096  # points at a time: at most 2^21 point-triangle pairs, some 500 MB


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray((a * b).sum(-1))


def _to_segment(
    point: Float[np.ndarray, "... 3"], begin: Float[np.ndarray, "... 3"], edge: np.ndarray
) -> Float[np.ndarray, "..."]:
    """Squared distance to a segment; a segment without length is a point."""
    along = _dot(point - begin, edge) / np.maximum(_dot(edge, edge), 1e-300)
    nearest = begin + np.clip(along, 0, 1)[..., None] * edge
    return _dot(point - nearest, point - nearest)


def point_triangle_distance(
    point: Float[np.ndarray, "... 3"], corners: Float[np.ndarray, "... 3 3"]
) -> Float[np.ndarray, "..."]:
    """Distance from a point to a triangle: to its plane above its inside, else to its edges."""
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    edges = ((a, b - a), (b, c - b), (c, a - c))
    normal = np.cross(b - a, c - a)
    squared = np.minimum.reduce([_to_segment(point, *edge) for edge in edges])
    area = _dot(normal, normal)
    sides = [_dot(np.cross(edge, point - begin), normal) for begin, edge in edges]
    above = np.logical_and.reduce([side >= 0 for side in sides]) & (area > 0)
    plane = _dot(point - a, normal) ** 2 / np.maximum(area, 1e-300)
    return np.asarray(np.sqrt(np.where(above, plane, squared)))


def _small_triangles(mesh: trimesh.Trimesh) -> Float[np.ndarray, "triangles 3 3"]:
    """The same surface in triangles whose edges are at most a hundredth of its extent."""
    longest = max(float(np.ptp(mesh.bounds, axis=0).max()) / 100, 1e-12)
    edges = mesh.edges_unique_length
    if len(edges) and edges.max() > longest:
        smaller = trimesh.remesh.subdivide_to_size(
            mesh.vertices, mesh.faces, max_edge=longest, max_iter=20
        )
        return np.asarray(smaller[0])[np.asarray(smaller[1])]
    return np.asarray(mesh.triangles)


def distances_to_surface(
    points: Float[np.ndarray, "points 3"], mesh: trimesh.Trimesh
) -> Float[np.ndarray, "points"]:
    """Distance of every point to the nearest triangle, exact to rounding.

    A triangle lies within ``reach`` of its centre, so whatever is further than ``best + reach`` by
    its centre cannot win. Points for which that is not settled by 512 candidates (far from
    everything, where all triangles look alike) may be off by at most ``reach``, about 0.6 % of the
    mesh's extent.
    """
    triangles = _small_triangles(mesh)
    centres = triangles.mean(1)
    reach = np.sqrt(((triangles - centres[:, None]) ** 2).sum(-1).max())
    tree = tree_of(centres)
    best = np.full(len(points), np.inf)
    for some in np.array_split(np.arange(len(points)), -(-len(points) // CHUNK)):
        best[some] = _search(points[some], triangles, tree, reach)
    return best


def _search(
    points: Float[np.ndarray, "points 3"],
    triangles: Float[np.ndarray, "triangles 3 3"],
    tree: KDTree,
    reach: float,
) -> Float[np.ndarray, "points"]:
    """Best distance over the nearest triangles, more and more of them until no other can win."""
    best = np.full(len(points), np.inf)
    left = np.arange(len(points))
    seen = 0
    for wanted in CANDIDATES:
        count = min(wanted, len(triangles))
        away, which = nearest(tree, points[left], count)
        row, column = np.nonzero(away[:, seen:] < best[left, None] + reach)
        point, triangle = left[row], which[row, seen + column]
        found = point_triangle_distance(points[point], triangles[triangle])
        np.minimum.at(best, point, found)
        left, seen = left[away[:, -1] < best[left] + reach], count
        if count == len(triangles) or len(left) == 0:
            break
    return best
