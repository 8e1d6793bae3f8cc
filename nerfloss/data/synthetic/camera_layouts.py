"""Layouts of cameras around the origin, all facing it."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.cameras.cameras import Cameras


def fibonacci_sphere(count: int, begin: float = 0.5) -> Float[Tensor, "count 3"]:
    """Return points evenly distributed on the unit sphere, along a spiral from top to bottom.

    ``begin`` in (0, 1) is the offset of the points within their bands of equal area.
    """
    index = torch.arange(count, dtype=torch.float64) + begin
    height = 1 - 2 * index / count
    around = math.pi * (1 + math.sqrt(5.0)) * index
    radius = (1 - height.square()).clamp_min(0.0).sqrt()
    return torch.stack([radius * around.cos(), radius * around.sin(), height], -1).float()


def random_rotation(generator: torch.Generator) -> Float[Tensor, "3 3"]:
    """Return a uniformly distributed rotation, from a random unit quaternion."""
    w, x, y, z = torch.nn.functional.normalize(torch.randn(4, generator=generator), dim=0).tolist()
    return torch.tensor(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def look_at_origin(positions: Float[Tensor, "views 3"]) -> Float[Tensor, "views 3 4"]:
    """Return camera-to-world poses that face the origin, in OpenCV axes, with z up."""
    forward = torch.nn.functional.normalize(-positions, dim=-1)
    up = torch.tensor([0.0, 0.0, 1.0]).expand_as(forward)
    # For a vertical view direction z is no up vector; x is used instead.
    steep = forward[:, 2:].abs() > 0.999
    up = torch.where(steep, torch.tensor([1.0, 0.0, 0.0]), up)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, up), dim=-1)
    down = torch.linalg.cross(forward, right)
    return torch.stack([right, down, forward, positions], dim=-1)


def cameras_at(positions: Float[Tensor, "views 3"], size: int, fov: float) -> Cameras:
    """Return cameras facing the origin: ``size`` x ``size`` pixels, field of view in degrees."""
    focal = 0.5 * size / math.tan(math.radians(fov) / 2)
    intrinsics = torch.tensor([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1.0]])
    poses = look_at_origin(positions)
    return Cameras(intrinsics.expand(len(poses), 3, 3).contiguous(), poses, size, size)


def train_and_test_positions(
    train: int, test: int, radius: float, seed: int
) -> tuple[Float[Tensor, "train 3"], Float[Tensor, "test 3"]]:
    """Return camera centres on a sphere, test cameras far from the training cameras.

    Of 64 random rotations of the test cameras, the one is kept that maximises the smallest distance
    to a training camera. ``seed`` rotates the whole layout.
    """
    generator = torch.Generator().manual_seed(seed)
    layout_rotation = random_rotation(generator)
    train_centers = fibonacci_sphere(train)
    rotations = [random_rotation(generator) for _ in range(64)]
    candidates = torch.stack([fibonacci_sphere(test) @ rotation.T for rotation in rotations])
    # The largest cosine between a test and a training camera, per candidate.
    nearest = (candidates @ train_centers.T).amax(dim=(1, 2))
    test_centers = candidates[nearest.argmin()]
    return radius * train_centers @ layout_rotation.T, radius * test_centers @ layout_rotation.T
