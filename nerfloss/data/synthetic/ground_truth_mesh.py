"""Extract the ground-truth mesh of a signed distance, with vertices on the surface."""

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from skimage.measure import marching_cubes
from torch import Tensor

from nerfloss.data.synthetic.shapes import Sdf, length, sdf_gradient
from nerfloss.data.synthetic.sphere_tracing import BOUND, CHUNK
from nerfloss.kernels.threads import torch_threads

BLOCK = 8


@torch_threads(1)
def surface_mesh(sdf: Sdf, resolution: int = 256, newton_steps: int = 3) -> trimesh.Trimesh:
    """Extract the zero level set inside the bounding ball, in scene units, faces outward.

    ``resolution`` is the number of grid points per axis, a multiple of 8. Vertices of marching
    cubes have an error of second order in the cell size; Newton steps along the gradient remove it.
    """
    cell = 2 * BOUND / (resolution - 1)
    values = sample_grid(sdf, resolution).numpy()
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=(cell,) * 3)
    points = torch.from_numpy(vertices.astype(np.float32)) - BOUND
    for _ in range(newton_steps):
        points = torch.cat([_newton_step(sdf, some) for some in points.split(CHUNK)])
    return trimesh.Trimesh(points.double().numpy(), faces, process=False)


def sample_grid(sdf: Sdf, resolution: int) -> Float[Tensor, "x y z"]:
    """Return signed distances on a grid over the bounding box, exact near the surface.

    A block of 8 x 8 x 8 points that the surface cannot reach, judged by the distance at its centre,
    gets the value of its centre.
    """
    axis = torch.linspace(-BOUND, BOUND, resolution).reshape(-1, BLOCK)
    centers = torch.cartesian_prod(*[axis.mean(-1)] * 3)
    coarse = sdf(centers)
    # Half a block's diagonal, one point larger to include the cells between blocks.
    reach = 0.5 * (BLOCK + 1) * 3**0.5 * float(axis[0, 1] - axis[0, 0])
    near = (coarse.abs() < reach).nonzero()[:, 0]
    offsets = torch.cartesian_prod(*[axis[0] - axis[0].mean()] * 3)
    values = coarse[:, None].repeat(1, BLOCK**3)
    for some in near.split(CHUNK // BLOCK**3):
        points = (centers[some, None] + offsets).reshape(-1, 3)
        values[some] = sdf(points).reshape(len(some), -1)
    blocks = len(axis)
    values = values.reshape(blocks, blocks, blocks, BLOCK, BLOCK, BLOCK)
    return values.permute(0, 3, 1, 4, 2, 5).reshape(resolution, resolution, resolution)


def _newton_step(sdf: Sdf, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
    """Move points along the gradient by ``-sdf * gradient / |gradient|^2``."""
    gradient = sdf_gradient(sdf, points)
    # Floored at 0.25: the gradient is short at creases, where the exact step would overshoot.
    squared = length(gradient).square().clamp_min(0.25)
    return points - (sdf(points) / squared)[:, None] * gradient
