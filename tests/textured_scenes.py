"""Photographs of a mesh with a texture, for tests: rasterized, with soft edges and masks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import trimesh
from PIL import Image
from trimesh.visual.material import SimpleMaterial
from trimesh.visual.texture import TextureVisuals

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.scene import Scene
from nerfloss.data.synthetic.camera_layouts import cameras_at, train_and_test_positions
from nerfloss.data.views import Views
from nerfloss.kernels.numba.rasterize import NO_FACE, rasterize

SUPERSAMPLING = 4


def spot(folder: Path, radius: float = 1.0) -> trimesh.Trimesh:
    """The cow with her own texture, upright along z, in a ball of ``radius`` around the origin."""
    read = trimesh.load_mesh(folder / "spot_triangulated.obj", process=False)
    material = SimpleMaterial(image=Image.open(folder / "spot_texture.png"))
    visual = TextureVisuals(uv=read.visual.uv, material=material)
    mesh = trimesh.Trimesh(read.vertices, read.faces, visual=visual, process=False)
    upright = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    mesh.apply_transform(upright)
    mesh.apply_translation(-mesh.bounds.mean(0))
    mesh.apply_scale(radius / np.linalg.norm(mesh.vertices, axis=1).max())
    return mesh


def texture_of(mesh: trimesh.Trimesh) -> np.ndarray:
    """The image of a mesh's material, colours in [0, 1]."""
    material = mesh.visual.material
    image = material.baseColorTexture if hasattr(material, "baseColorTexture") else material.image
    return np.asarray(image.convert("RGB"), dtype=np.float64) / 255


def bilinear(image: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Colours at texture coordinates, v upward, between the centres of texels."""
    height, width = image.shape[:2]
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, low = (x - left)[:, None], (y - top)[:, None]
    columns = [(left + step).clip(0, width - 1) for step in (0, 1)]
    rows = [(top + step).clip(0, height - 1) for step in (0, 1)]
    upper = image[rows[0], columns[0]] * (1 - right) + image[rows[0], columns[1]] * right
    lower = image[rows[1], columns[0]] * (1 - right) + image[rows[1], columns[1]] * right
    return upper * (1 - low) + lower * low


def photograph(
    mesh: trimesh.Trimesh, cameras: Cameras, view: int, fine: int = SUPERSAMPLING
) -> tuple[np.ndarray, np.ndarray]:
    """Colours (not multiplied by opacity) and opacity of a mesh with a texture, in one view."""
    assert isinstance(mesh.visual, TextureVisuals)
    width, height = cameras.size(view)
    exact = replace(cameras, intrinsics=cameras.intrinsics.double(), poses=cameras.poses.double())
    pixel, depth = exact.project(torch.from_numpy(np.array(mesh.vertices)).double(), view)
    pixels, z = pixel.numpy() * fine, depth.numpy()
    faces = np.asarray(mesh.faces)
    _, index = rasterize(pixels, z, faces, width * fine, height * fine)
    row, column = np.nonzero(index != NO_FACE)
    corners = faces[index[row, column]]
    a, b, c = (pixels[corners[:, k]] for k in range(3))
    point = np.stack([column, row], 1) + 0.5
    area = cross(b - a, c - a)
    second, third = cross(point - a, c - a) / area, cross(b - a, point - a) / area
    shares = np.stack([1 - second - third, second, third], 1) / z[corners]
    shares /= shares.sum(1, keepdims=True)
    uv = (shares[:, :, None] * np.asarray(mesh.visual.uv)[corners]).sum(1)
    color = np.zeros((height * fine, width * fine, 4))
    color[row, column, :3], color[row, column, 3] = bilinear(texture_of(mesh), uv), 1
    mean = color.reshape(height, fine, width, fine, 4).mean((1, 3))
    return mean[..., :3] / mean[..., 3:].clip(1e-9), mean[..., 3]


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def photographed(mesh: trimesh.Trimesh, cameras: Cameras, prefix: str) -> Views:
    """The photographs of all cameras, as 8-bit views with masks."""
    images = [photograph(mesh, cameras, view) for view in range(len(cameras))]
    rgb = np.stack([(image * 255).round().astype(np.uint8) for image, _ in images])
    mask = np.stack([(opacity * 255).round().astype(np.uint8) for _, opacity in images])
    names = tuple(f"{prefix}_{view:03d}" for view in range(len(cameras)))
    return Views(cameras, names, torch.from_numpy(rgb), torch.from_numpy(mask))


def textured_scene(mesh: trimesh.Trimesh, views: int, test_views: int, size: int) -> Scene:
    """A scene of photographs of a mesh from all sides."""
    train, test = train_and_test_positions(views, test_views, 3.2, seed=0)
    splits = [cameras_at(centers, size, 35.0) for centers in (train, test)]
    return Scene(
        "textured",
        photographed(mesh, splits[0], "train"),
        photographed(mesh, splits[1], "test"),
        np.eye(4),
        "auto",
        ground_truth=lambda: mesh,
    )


def colors_at(mesh: trimesh.Trimesh, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of the surface, the normals of vertices interpolated there, and their colours."""
    points, face = trimesh.sample.sample_surface(mesh, count, seed=0)
    weights = trimesh.triangles.points_to_barycentric(mesh.triangles[face], points)
    corners = np.asarray(mesh.faces)[face]
    uv = (weights[:, :, None] * np.asarray(mesh.visual.uv)[corners]).sum(1)
    normals = (weights[:, :, None] * np.asarray(mesh.vertex_normals)[corners]).sum(1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return points, normals, bilinear(texture_of(mesh), uv)
