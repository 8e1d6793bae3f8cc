"""The mesh of a run by fusion of the median depth that its training views render."""

import logging
from collections.abc import Iterator

import torch
import trimesh
from jaxtyping import Bool, Float
from torch import Tensor

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.export.rendered_surface import render_surface
from nerfloss.data.cameras.cameras import Cameras
from nerfloss.evaluation.mesh_extraction import check_memory
from nerfloss.evaluation.oom_retry import ChunkSize
from nerfloss.evaluation.sparse_lattice import SparseLattice
from nerfloss.evaluation.surfaces.tsdf import DepthView, Fusion

log = logging.getLogger(__name__)

MAX_VIEWS = 100
# Rendered pixels along an image's longer side, per cell along the box: a finer image than the grid
# adds nothing that it can hold.
PIXELS_PER_CELL = 1.5


def fused_mesh(opened: OpenedRun, resolution: int) -> trimesh.Trimesh:
    """Return the mesh in scene units, on a grid of ``resolution`` cells along the box.

    At most 100 views are rendered, evenly spread, and no finer than the grid. The field itself is
    not asked, so it suits densities, whose level sets are rough. Raises EmptyMesh without a
    surface, UndefinedMetric where the memory does not suffice.
    """
    box = opened.model.box
    lattice = SparseLattice.over(box.detach().double().cpu().numpy(), resolution)
    check_memory(lattice, resolution)
    return Fusion(lattice)(depth_views(opened, resolution), opened.device)


def depth_views(opened: OpenedRun, resolution: int) -> Iterator[DepthView]:
    """Yield the rendered depth of the training views, one at a time."""
    cameras = opened.scene.train.cameras.to(opened.device)
    count = min(len(cameras), MAX_VIEWS)
    stride = max(1, int(max(cameras.width, cameras.height) / (PIXELS_PER_CELL * resolution)))
    log.info("rendering the depth of %d training views, every %d. pixel", count, stride)
    chunk = ChunkSize(opened.run.evaluator.chunk, "eval.chunk")
    chosen = torch.linspace(0, len(cameras) - 1, count).round().long().tolist()
    for done, view in enumerate(chosen):
        opened.progress("views fused", done, count)
        depth = _depth_map(opened, cameras, view, stride, chunk)
        yield DepthView(cameras.poses[view, :, 3], _lookup(cameras, view, stride, depth))
    opened.progress("views fused", count, count)


def _depth_map(
    opened: OpenedRun, cameras: Cameras, view: int, stride: int, chunk: ChunkSize
) -> Float[Tensor, "rows columns"]:
    """Render the centres of blocks of ``stride`` pixels."""
    width, height = cameras.size(view)
    row, column = torch.meshgrid(
        torch.arange(0, height, stride), torch.arange(0, width, stride), indexing="ij"
    )
    pixel = (torch.stack([column, row], -1).reshape(-1, 2) + 0.5 * stride).float()
    pixel = pixel.to(opened.device)
    which = torch.full((len(pixel),), view, device=opened.device)
    rays = cameras.rays(which, pixel, torch.zeros(len(pixel), 3, device=opened.device))
    return render_surface(opened.model.render, rays, (), chunk).depth.reshape(row.shape)


def _lookup(cameras: Cameras, view: int, stride: int, depth: Float[Tensor, "rows columns"]):
    def lookup(
        points: Float[Tensor, "points 3"],
    ) -> tuple[Float[Tensor, "points"], Bool[Tensor, "points"]]:
        pixel, z = cameras.project(points, view)
        inside = (z > 0) & cameras.in_image(pixel, view)
        column, row = (torch.where(inside[:, None], pixel, 0.0) / stride).long().unbind(-1)
        return depth[row, column], inside

    return lookup
