"""``dataset=photos``: real photographs become a scene with the right poses, and a mesh."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from small_runs import assembled

Centres = dict[str, np.ndarray]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chess", "dtu"])
def test_photographs_alone_become_a_mesh(test_data: Path, tmp_path: Path, name: str) -> None:
    pytest.importorskip("pycolmap")
    folder, images, given_centres = SCENES[name]
    if not (test_data / folder).is_dir():
        pytest.skip(f"no {test_data / folder}")
    photographs, scene = test_data / folder / images, tmp_path / "scene"
    words = ["dataset=photos", f"dataset.path={photographs}", f"dataset.scene={scene}"]
    run = assembled(tmp_path / "run", *words, "eval.images=false", dataset="photos")
    found, given = colmap_centres(scene / "sparse" / "0"), given_centres(test_data / folder)
    assert found.keys() == given.keys()
    names = sorted(given)
    a, b = (np.stack([each[name] for name in names]) for each in (found, given))
    errors = np.linalg.norm(aligned(a, b) - b, axis=1)
    assert errors.max() < 0.01 * np.linalg.norm(b.max(0) - b.min(0))
    assert run.train()
    run.evaluate()
    (mesh,) = (tmp_path / "run").rglob("mesh.ply")
    assert len(trimesh.load_mesh(mesh).faces) > 0


def colmap_centres(model: Path) -> Centres:
    import pycolmap

    found = pycolmap.Reconstruction(model)
    return {image.name: image.projection_center() for image in found.images.values()}


def chess_centres(folder: Path) -> Centres:
    return colmap_centres(folder / "sparse" / "0")


def dtu_centres(folder: Path) -> Centres:
    """Return the centres of the cameras of cameras_sphere.npz: the null space of each matrix."""
    centres = {}
    with np.load(folder / "cameras_sphere.npz") as stored:
        for index, image in enumerate(sorted((folder / "image").iterdir())):
            matrix = stored[f"world_mat_{index}"][:3].astype(float)
            centres[image.name] = -np.linalg.solve(matrix[:, :3], matrix[:, 3])
    return centres


SCENES: dict[str, tuple[str, str, Callable[[Path], Centres]]] = {
    "chess": ("colmap_chess_s4", "images_4", chess_centres),
    "dtu": ("dtu_scan65_s8", "image", dtu_centres),
}


def aligned(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ``a`` after the similarity that brings it closest to ``b`` (Umeyama 1991)."""
    x, y = a - a.mean(0), b - b.mean(0)
    u, s, vt = np.linalg.svd(y.T @ x)
    sign = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = np.trace(np.diag(s) @ sign) / (x**2).sum()
    return scale * x @ (u @ sign @ vt).T + b.mean(0)
