"""Exact distance from points to a triangle mesh, with a search tree over small triangles.

trimesh's own query needs the package rtree, and is slower on meshes of a million triangles.
"""

import numpy as np
import trimesh
from jaxtyping import Float
from scipy.spatial import KDTree
from trimesh.triangles import closest_point

from nerfloss.evaluation.nearest_neighbours import nearest, tree_of

CANDIDATES = (8, 32, 128, 512)  # nearest triangles that are tried per point, in turn
CHUNK = 4096  # points at a time: at most 2^21 point-triangle pairs, some 500 MB


def distances_to_surface(
    points: Float[np.ndarray, "points 3"], mesh: trimesh.Trimesh
) -> Float[np.ndarray, "points"]:
    """Return the distance of every point to the nearest triangle, exact to rounding.

    A triangle lies within ``reach`` of its centre, so one whose centre is further away than the
    best distance plus ``reach`` cannot be nearer. Where that does not end the search within 512
    candidates (far from the mesh, where all triangles are about equally far), a distance may be too
    large by at most ``reach``, about 0.6 % of the mesh's extent.
    """
    triangles = _small_triangles(mesh)
    centers = triangles.mean(1)
    reach = np.sqrt(((triangles - centers[:, None]) ** 2).sum(-1).max())
    tree = tree_of(centers)
    best = np.full(len(points), np.inf)
    for rows in np.array_split(np.arange(len(points)), -(-len(points) // CHUNK)):
        best[rows] = _search(points[rows], triangles, tree, reach)
    return best


def _small_triangles(mesh: trimesh.Trimesh) -> Float[np.ndarray, "triangles 3 3"]:
    """Return the surface in triangles whose edges are at most a hundredth of its extent."""
    longest = max(float(np.ptp(mesh.bounds, axis=0).max()) / 100, 1e-12)
    edges = mesh.edges_unique_length
    if len(edges) and edges.max() > longest:
        vertices, faces = trimesh.remesh.subdivide_to_size(
            mesh.vertices, mesh.faces, max_edge=longest, max_iter=20
        )[:2]
        return np.asarray(vertices)[np.asarray(faces)]
    return np.asarray(mesh.triangles)


def _search(
    points: Float[np.ndarray, "points 3"],
    triangles: Float[np.ndarray, "triangles 3 3"],
    tree: KDTree,
    reach: float,
) -> Float[np.ndarray, "points"]:
    """Return the best distances over more and more triangles until no other can be nearer."""
    best = np.full(len(points), np.inf)
    remaining = np.arange(len(points))
    tried = 0
    for candidates in CANDIDATES:
        count = min(candidates, len(triangles))
        to_center, nearest_triangles = nearest(tree, points[remaining], count)
        row, column = np.nonzero(to_center[:, tried:] < best[remaining, None] + reach)
        point, triangle = remaining[row], nearest_triangles[row, tried + column]
        offset = closest_point(triangles[triangle], points[point]) - points[point]
        # fmin: a triangle without area may yield NaN; its neighbours have the same points.
        np.fmin.at(best, point, np.linalg.norm(offset, axis=1))
        remaining, tried = remaining[to_center[:, -1] < best[remaining] + reach], count
        if count == len(triangles) or len(remaining) == 0:
            break
    return best
