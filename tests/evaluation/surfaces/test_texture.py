"""Textures hold the colours of the surface, and a second program finds them where they belong."""

import numpy as np
import pytest
import torch
import trimesh

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.mesh_files import write_mesh
from nerfloss.evaluation.surfaces.texture_atlas import textured

pytest.importorskip("xatlas", reason="needs the extra 'export'")
CPU = torch.device("cpu")
SIZE = 256


def by_position(points, normals):  # noqa: ARG001
    return points * 0.4 + 0.5


def by_normal(points, normals):  # noqa: ARG001
    return normals * 0.4 + 0.5


def sampled_colors(mesh: trimesh.Trimesh, count: int = 3000):
    """Points of the surface, and the nearest texel of the image at each."""
    points, face = trimesh.sample.sample_surface(mesh, count, seed=0)
    weights = trimesh.triangles.points_to_barycentric(mesh.triangles[face], points)
    uv = (weights[:, :, None] * mesh.visual.uv[mesh.faces[face]]).sum(1)
    material = mesh.visual.material
    image = material.baseColorTexture if hasattr(material, "baseColorTexture") else material.image
    pixels = np.asarray(image.convert("RGB"))
    column = (uv[:, 0] * SIZE).astype(int).clip(0, SIZE - 1)
    row = ((1 - uv[:, 1]) * SIZE).astype(int).clip(0, SIZE - 1)
    return points, pixels[row, column] / 255


@pytest.mark.parametrize("ending", ["glb", "obj"])
def test_the_texture_of_a_file_has_the_colour_of_each_point(tmp_path, ending):
    mesh = textured(trimesh.creation.icosphere(3), by_position, SIZE, device=CPU)
    path = write_mesh(mesh, tmp_path / f"my ball.{ending}")
    read = trimesh.load_mesh(path)
    read = read.to_mesh() if isinstance(read, trimesh.Scene) else read
    assert read.visual.kind == "texture"
    points, colors = sampled_colors(read)
    # Half a texel of a sphere's surface over the image, and an 8-bit step.
    texel = np.sqrt(4 * np.pi) / SIZE
    error = np.abs(colors - (points * 0.4 + 0.5)).max(1)
    assert np.quantile(error, 0.99) < 2 * texel * 0.4 + 1 / 255
    assert error.max() < 0.1
    if ending == "obj":
        names = sorted(file.name for file in tmp_path.iterdir())
        assert names == ["my ball.obj", "my_ball.mtl", "my_ball.png"]


def test_normals_are_those_of_the_surface_across_seams():
    mesh = trimesh.creation.icosphere(3)
    found = textured(mesh, by_normal, SIZE, device=CPU)
    points, colors = sampled_colors(found)
    assert np.quantile(np.abs(colors - (points * 0.4 + 0.5)), 0.99) < 0.02
    np.testing.assert_allclose(found.vertex_normals, found.vertices, atol=1e-2)
    merged = trimesh.Trimesh(found.vertices, found.faces, process=True)
    assert merged.is_watertight


def test_no_texel_keeps_the_colour_of_an_empty_image():
    mesh = textured(trimesh.creation.icosphere(2), lambda p, n: torch.ones_like(p), 64, device=CPU)  # noqa: ARG005
    assert (np.asarray(mesh.visual.material.baseColorTexture) == 255).all()


def test_an_image_that_is_too_small_is_refused():
    with pytest.raises(UndefinedMetric, match="no texel lies on the surface"):
        textured(trimesh.creation.icosphere(5), by_position, 1, device=CPU)
