"""Samples of a surface of a stated density, drawn in rounds of bounded memory."""

from collections.abc import Iterator

import numpy as np
import trimesh
from jaxtyping import Float

from nerfloss.evaluation.surface_samples import require_area

ROUND = 500_000


def sample_in_rounds(
    mesh: trimesh.Trimesh, spacing: float, *, per_cell: float = 4.0, seed: int = 0
) -> Iterator[Float[np.ndarray, "points 3"]]:
    """Yield points drawn uniformly by area, ``per_cell`` of them on each ``spacing`` squared.

    Equal for equal seeds. Raises EmptyMesh where the mesh has no area.
    """
    require_area(mesh)
    generator = np.random.default_rng(seed)
    remaining = max(int(np.ceil(per_cell * mesh.area / spacing**2)), 1)
    ends = np.cumsum(mesh.area_faces)
    while remaining > 0:
        count = min(remaining, ROUND)
        drawn = generator.random(count) * ends[-1]
        face = np.minimum(np.searchsorted(ends, drawn, side="right"), len(ends) - 1)
        # u = 1 - sqrt(r) makes barycentric coordinates uniform on the triangle.
        root, v = np.sqrt(generator.random(count)), generator.random(count)
        weights = np.stack([1 - root, root * (1 - v), root * v], 1)
        yield (np.asarray(mesh.triangles)[face] * weights[..., None]).sum(1)
        remaining -= count
