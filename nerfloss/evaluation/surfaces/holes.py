"""Find the holes of a mesh, close those up to a size, and tell why a mesh is not watertight."""

from collections.abc import Sequence

import numpy as np
import trimesh
from jaxtyping import Int


def directed_edges(mesh: trimesh.Trimesh) -> Int[np.ndarray, "edges 2"]:
    """Return the three edges of each face, in the direction of its orientation."""
    return np.asarray(mesh.faces, dtype=np.int64)[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)


def boundary_edges(mesh: trimesh.Trimesh) -> Int[np.ndarray, "edges 2"]:
    """Return the directed edges that belong to one face only."""
    edges = directed_edges(mesh)
    _, first, counts = np.unique(
        np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True
    )
    return edges[first[counts == 1]]


def boundary_loops(mesh: trimesh.Trimesh) -> list[Int[np.ndarray, "_"]]:
    """Return the holes of a mesh, each as the vertices around it in the faces' direction.

    A border that meets itself in a vertex is cut there into loops that do not.
    """
    following: dict[int, list[int]] = {}
    for start, end in boundary_edges(mesh).tolist():
        following.setdefault(start, []).append(end)
    loops = []
    for start in list(following):
        path, position = [start], {start: 0}
        while following.get(path[-1]):
            vertex = following[path[-1]].pop()
            if (at := position.get(vertex)) is None:
                position[vertex] = len(path)
                path.append(vertex)
                continue
            if len(path) - at > 2:
                loops.append(np.array(path[at:]))
            for left in path[at + 1 :]:
                del position[left]
            path = path[: at + 1]
    return loops


def hole_size(mesh: trimesh.Trimesh, loop: Int[np.ndarray, "vertices"]) -> float:
    """Return the diagonal of the box around a hole."""
    return float(np.linalg.norm(np.ptp(np.asarray(mesh.vertices)[loop], axis=0)))


def with_holes_filled(mesh: trimesh.Trimesh, size: float) -> tuple[trimesh.Trimesh, int]:
    """Return the mesh with holes up to a ``size`` closed, and their number.

    ``size`` is compared with the diagonal of the box around a hole.
    """
    loops = [loop for loop in boundary_loops(mesh) if hole_size(mesh, loop) <= size]
    return with_loops_filled(mesh, loops), len(loops)


def with_loops_filled(
    mesh: trimesh.Trimesh, loops: Sequence[Int[np.ndarray, "_"]]
) -> trimesh.Trimesh:
    """Return the mesh with some of its `boundary_loops` closed.

    A hole of three edges gets one face; a larger one gets a vertex at the mean of its border and a
    fan of faces around it. The faces are oriented as their neighbours.
    """
    vertices, faces = [np.asarray(mesh.vertices)], [np.asarray(mesh.faces, dtype=np.int64)]
    count = len(mesh.vertices)
    for loop in loops:
        if len(loop) == 3:
            faces.append(loop[None, ::-1])
            continue
        vertices.append(np.asarray(mesh.vertices)[loop].mean(0, keepdims=True))
        faces.append(np.stack([np.roll(loop, -1), loop, np.full(len(loop), count)], 1))
        count += 1
    return trimesh.Trimesh(np.concatenate(vertices), np.concatenate(faces), process=False)


def with_shared_edges_replaced(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Return the mesh with new faces around edges that belonged to more than two faces.

    The faces at such an edge are removed and the holes of it closed. Holes that the mesh had stay.
    """
    edges = directed_edges(mesh)
    _, number, counts = np.unique(
        np.sort(edges, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    shared = (counts[number.reshape(-1)] > 2).reshape(-1, 3).any(1)
    if not shared.any():
        return mesh
    rest = trimesh.Trimesh(mesh.vertices, np.asarray(mesh.faces)[~shared], process=False)
    before = set(map(tuple, boundary_edges(mesh).tolist()))
    stays = [edge for edge in boundary_edges(rest).tolist() if tuple(edge) in before]
    loops = [loop for loop in boundary_loops(rest) if not np.isin(loop, stays).any()]
    return with_loops_filled(rest, loops)


def watertight_fault(mesh: trimesh.Trimesh) -> str | None:
    """Return why a mesh is not watertight; None if it is.

    It is if each edge belongs to two faces, which pass it in opposite directions.
    """
    edges = directed_edges(mesh)
    counts = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)[1]
    if len(edges) == 0:
        return "it has no faces"
    if (shared := int((counts > 2).sum())) > 0:
        return f"{shared} edges belong to more than two faces"
    if loops := boundary_loops(mesh):
        largest = max(hole_size(mesh, loop) for loop in loops)
        holes = "a hole" if len(loops) == 1 else f"{len(loops)} holes, the largest"
        return f"it has {holes} of size {largest:.4g}"
    if len(np.unique(edges, axis=0)) < len(edges):
        return "neighbouring faces are oriented in opposite ways"
    return None
