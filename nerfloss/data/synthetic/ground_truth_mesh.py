"""The surface of a signed distance as a fine mesh, its vertices on the surface itself."""

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from skimage.measure import marching_cubes
from torch import Tensor

from nerfloss.data.synthetic.shapes import Sdf, length, sdf_gradient
from nerfloss.data.synthetic.sphere_tracing import BOUND, CHUNK

BLOCK = 8


def surface_mesh(sdf: Sdf, resolution: int = 256, newton_steps: int = 3) -> trimesh.Trimesh:
    """Extract the zero level set inside the bounding ball, in scene units, faces outward.

    ``resolution`` points along each axis, a multiple of 8. Marching cubes leaves vertices off the
    surface by the square of a cell; a few Newton steps along the gradient put them on it.
    """
    cell = 2 * BOUND / (resolution - 1)
    values = sample_grid(sdf, resolution).numpy()
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=(cell,) * 3)
    points = torch.from_numpy(vertices.astype(np.float32)) - BOUND
    for _ in range(newton_steps):
        points = torch.cat([_newton_step(sdf, some) for some in points.split(CHUNK)])
    return trimesh.Trimesh(points.double().numpy(), faces, process=False)


def sample_grid(sdf: Sdf, resolution: int) -> Float[Tensor, "x y z"]:
    """Signed distances on a grid over the bounding box: exact near the surface, right in sign.

    Where the distance at the middle of a block of 8 x 8 x 8 points says that the surface cannot
    reach the block, all its points take the middle's value.
    """
    axis = torch.linspace(-BOUND, BOUND, resolution).reshape(-1, BLOCK)
    middles = torch.cartesian_prod(*[axis.mean(-1)] * 3)
    coarse = sdf(middles)
    # Half a block's diagonal, and a point more so that cells between blocks are right as well.
    reach = 0.5 * (BLOCK + 1) * 3**0.5 * float(axis[0, 1] - axis[0, 0])
    near = (coarse.abs() < reach).nonzero()[:, 0]
    offsets = torch.cartesian_prod(*[axis[0] - axis[0].mean()] * 3)
    values = coarse[:, None].repeat(1, BLOCK**3)
    for some in near.split(CHUNK // BLOCK**3):
        points = (middles[some, None] + offsets).reshape(-1, 3)
        values[some] = sdf(points).reshape(len(some), -1)
    blocks = len(axis)
    values = values.reshape(blocks, blocks, blocks, BLOCK, BLOCK, BLOCK)
    return values.permute(0, 3, 1, 4, 2, 5).reshape(resolution, resolution, resolution)


def _newton_step(sdf: Sdf, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
    """Move points towards the surface by the distance over the gradient's length."""
    gradient = sdf_gradient(sdf, points)
    # A gradient this short means a crease; the step is then a quarter of the exact one.
    squared = length(gradient).square().clamp_min(0.25)
    return points - (sdf(points) / squared)[:, None] * gradient
