"""Unwrap a mesh into a texture atlas, and bake colours of its surface into an image."""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Int, UInt8
from PIL import Image
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.oom_retry import ChunkSize
from nerfloss.evaluation.stage_progress import Progress, one_step, silent

# Colours of points of the surface with these outward normals.
SurfaceColors = Callable[
    [Float[Tensor, "points 3"], Float[Tensor, "points 3"]], Float[Tensor, "points 3"]
]
PADDING = 4  # texels between charts
TEXELS_AT_ONCE = 2**20  # in the bounding boxes of some faces
# Texels whose centre lies outside of its triangle by less than this, in barycentric units, belong
# to it: the border of charts is filled.
SLACK = 1e-6


@dataclass(frozen=True)
class Atlas:
    """A mesh whose vertices are split along seams, and their texture coordinates.

    ``source`` is the vertex of the original mesh that each vertex is. ``uv`` lies in [0, 1]; v
    points up in the image.
    """

    source: Int[np.ndarray, "vertices"]
    faces: Int[np.ndarray, "faces 3"]
    uv: Float[np.ndarray, "vertices 2"]


def unwrapped(mesh: trimesh.Trimesh, size: int) -> Atlas:
    """Return an atlas of charts for a square image of ``size`` texels.

    Raises ModuleNotFoundError without the package xatlas (extra ``export``).
    Reference: Young, xatlas; Levy et al., Least Squares Conformal Maps, 2002.
    """
    require_xatlas()
    import xatlas  # pyright: ignore[reportMissingImports]

    atlas, options = xatlas.Atlas(), xatlas.PackOptions()
    options.resolution, options.padding, options.bilinear = size, PADDING, True
    vertices = np.asarray(mesh.vertices) - np.asarray(mesh.vertices).mean(0)
    scale = float(np.abs(vertices).max()) or 1.0
    atlas.add_mesh((vertices / scale).astype(np.float32), np.asarray(mesh.faces, dtype=np.uint32))
    atlas.generate(xatlas.ChartOptions(), options)
    source, faces, uv = atlas[0]
    return Atlas(source.astype(np.int64), faces.astype(np.int64), uv.astype(np.float64))


def require_xatlas() -> None:
    """Raise ModuleNotFoundError, which names the extra, if the package is not installed."""
    if importlib.util.find_spec("xatlas") is None:
        message = "a texture needs the package xatlas: pip install 'nerfloss[export]'"
        raise ModuleNotFoundError(message, name="xatlas")


def textured(
    mesh: trimesh.Trimesh,
    colors: SurfaceColors,
    size: int,
    *,
    device: torch.device,
    progress: Progress = silent,
) -> trimesh.Trimesh:
    """Return the mesh with a texture of ``size`` by ``size`` texels.

    A texel has the value of ``colors(points, outward normals)`` at its centre; normals are those of
    vertices, interpolated. Texels beside the charts repeat the nearest one in a chart. Raises
    UndefinedMetric where the charts are smaller than the texels.
    """
    with one_step(progress, f"unwrapping {len(mesh.faces)} faces"):
        atlas = unwrapped(mesh, size)
    positions = np.asarray(mesh.vertices)[atlas.source]
    normals = np.asarray(mesh.vertex_normals)[atlas.source]
    image, filled = np.zeros((size * size, 3), dtype=np.uint8), np.zeros(size * size, dtype=bool)
    chunk = ChunkSize(TEXELS_AT_ONCE, "the texels at once")
    for end, texel, face, weights in _covered_texels(atlas, size):
        corners = atlas.faces[face]

        def bake(rows: slice) -> None:
            share, index = weights[rows, :, None], corners[rows]  # noqa: B023
            at, along = ((share * value[index]).sum(1) for value in (positions, normals))
            along /= np.linalg.norm(along, axis=1, keepdims=True).clip(1e-12)
            point, normal = (torch.from_numpy(v.astype(np.float32)).to(device) for v in (at, along))
            rgb = colors(point, normal).clamp(0, 1) * 255
            image[texel[rows]] = rgb.round().byte().cpu().numpy()  # noqa: B023

        with torch.no_grad():
            chunk(bake, len(texel))
        filled[texel] = True
        progress("faces with a texture", end, len(atlas.faces))
    if not filled.any():
        raise UndefinedMetric(f"no texel lies on the surface: take more than {size}")
    picture = _spread(image.reshape(size, size, 3), filled.reshape(size, size))
    material = PBRMaterial(
        baseColorTexture=Image.fromarray(picture), metallicFactor=0.0, roughnessFactor=1.0
    )
    return trimesh.Trimesh(
        positions,
        atlas.faces,
        vertex_normals=normals,
        visual=TextureVisuals(uv=atlas.uv, material=material),
        process=False,
    )


def _covered_texels(
    atlas: Atlas, size: int
) -> Iterator[
    tuple[int, Int[np.ndarray, "texels"], Int[np.ndarray, "texels"], Float[np.ndarray, "texels 3"]]
]:
    """Yield the texels whose centres lie in a triangle, that triangle, and the weights in it.

    Some faces at a time, of which the first value is the number up to there: of a large image not
    all of these are in memory at once.
    """
    # Columns and rows of corners in the image; its first row is the uppermost.
    place = np.stack([atlas.uv[:, 0], 1 - atlas.uv[:, 1]], 1) * size
    triangles = place[atlas.faces]
    low = np.floor(triangles.min(1)).astype(np.int64).clip(0, size - 1)
    extent = np.ceil(triangles.max(1)).astype(np.int64).clip(1, size) - low
    counts = extent.prod(1)
    before = np.concatenate([[0], np.cumsum(counts)])
    begin = 0
    while begin < len(counts):
        end = int(np.searchsorted(before, before[begin] + TEXELS_AT_ONCE, side="right")) - 1
        end = min(max(end, begin + 1), len(counts))
        yield end, *_texels_of(np.arange(begin, end), triangles, low, extent, counts, size)
        begin = end


def _texels_of(
    faces: Int[np.ndarray, "some"],
    triangles: Float[np.ndarray, "faces 3 2"],
    low: Int[np.ndarray, "faces 2"],
    extent: Int[np.ndarray, "faces 2"],
    counts: Int[np.ndarray, "faces"],
    size: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the covered texels of some faces, from the texels in their bounding boxes."""
    face = np.repeat(faces, counts[faces])
    first = np.cumsum(counts[faces]) - counts[faces]
    number = np.arange(len(face)) - np.repeat(first, counts[faces])
    column = low[face, 0] + number % extent[face, 0]
    row = low[face, 1] + number // extent[face, 0]
    a, b, c = (triangles[face, corner] for corner in range(3))
    point = np.stack([column, row], 1) + 0.5
    area = _cross(b - a, c - a)
    area = np.where(np.abs(area) < 1e-12, np.inf, area)  # a triangle without area covers nothing
    second, third = _cross(point - a, c - a) / area, _cross(b - a, point - a) / area
    weights = np.stack([1 - second - third, second, third], 1)
    inside = (weights >= -SLACK).all(1) & np.isfinite(area)
    return (row * size + column)[inside], face[inside], weights[inside]


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _spread(
    image: UInt8[np.ndarray, "size size 3"], filled: np.ndarray
) -> UInt8[np.ndarray, "size size 3"]:
    """Return the image with the nearest filled texel in place of each empty one."""
    nearest = distance_transform_edt(~filled, return_distances=False, return_indices=True)
    row, column = np.asarray(nearest)
    return image[row, column]
