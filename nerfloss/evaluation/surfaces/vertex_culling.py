"""Cut away the faces of a mesh whose vertices a rule does not keep."""

import numpy as np
import trimesh
from jaxtyping import Bool

from nerfloss.evaluation.errors import EmptyMesh
from nerfloss.evaluation.mesh_components import faces_of


def culled(
    mesh: trimesh.Trimesh, keep: Bool[np.ndarray, "vertices"], rule: str
) -> tuple[trimesh.Trimesh, str]:
    """Return the faces whose three vertices are all kept, and a note of the area that was cut.

    Raises EmptyMesh, with the name of the ``rule``, where no face is left.
    """
    faces = np.asarray(keep[np.asarray(mesh.faces)].all(1))
    if not faces.any():
        raise EmptyMesh(f"--cull {rule} leaves nothing of the mesh: choose another rule")
    total = float(mesh.area_faces.sum())
    cut = float(mesh.area_faces[~faces].sum()) / max(total, 1e-300)
    return faces_of(mesh, faces), f"--cull {rule} cut {100 * cut:.3g} % of the area"
