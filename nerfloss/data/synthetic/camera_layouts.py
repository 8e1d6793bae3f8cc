"""Cameras placed around the origin, all looking at it."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.cameras.pinhole import Cameras


def fibonacci_sphere(count: int, begin: float = 0.5) -> Float[Tensor, "count 3"]:
    """Points spread evenly over the unit sphere, along a spiral from the top to the bottom.

    ``begin`` in (0, 1) says where in its share of the sphere each point lies.
    """
    index = torch.arange(count, dtype=torch.float64) + begin
    height = 1 - 2 * index / count
    around = math.pi * (1 + math.sqrt(5.0)) * index
    radius = (1 - height.square()).clamp_min(0.0).sqrt()
    return torch.stack([radius * around.cos(), radius * around.sin(), height], -1).float()


def random_rotation(generator: torch.Generator) -> Float[Tensor, "3 3"]:
    """A rotation drawn uniformly, from a unit quaternion."""
    w, x, y, z = torch.nn.functional.normalize(torch.randn(4, generator=generator), dim=0).tolist()
    return torch.tensor(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def look_at_origin(positions: Float[Tensor, "views 3"]) -> Float[Tensor, "views 3 4"]:
    """Camera-to-world poses in OpenCV axes, upright with respect to z where that has a meaning."""
    forward = torch.nn.functional.normalize(-positions, dim=-1)
    up = torch.tensor([0.0, 0.0, 1.0]).expand_as(forward)
    # Seen from right above there is no upright: x serves instead.
    steep = forward[:, 2:].abs() > 0.999
    up = torch.where(steep, torch.tensor([1.0, 0.0, 0.0]), up)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, up), dim=-1)
    down = torch.linalg.cross(forward, right)
    return torch.stack([right, down, forward, positions], dim=-1)


def cameras_at(positions: Float[Tensor, "views 3"], size: int, fov: float) -> Cameras:
    """Square images of ``size`` pixels that see ``fov`` degrees, looking at the origin."""
    focal = 0.5 * size / math.tan(math.radians(fov) / 2)
    intrinsics = torch.tensor([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1.0]])
    poses = look_at_origin(positions)
    return Cameras(intrinsics.expand(len(poses), 3, 3).contiguous(), poses, size, size)


def train_and_test_positions(
    train: int, test: int, radius: float, seed: int
) -> tuple[Float[Tensor, "train 3"], Float[Tensor, "test 3"]]:
    """Camera centres on a sphere, the test ones as far as possible from those to train on.

    ``seed`` turns the whole arrangement.
    """
    generator = torch.Generator().manual_seed(seed)
    turn = random_rotation(generator)
    seen = fibonacci_sphere(train)
    # Test rigs at several rolls: the one kept leaves the widest gap to the nearest train view.
    rolls = [random_rotation(generator) for _ in range(64)]
    candidates = torch.stack([fibonacci_sphere(test) @ roll.T for roll in rolls])
    nearest = (candidates @ seen.T).amax(dim=(1, 2))
    held_out = candidates[nearest.argmin()]
    return radius * seen @ turn.T, radius * held_out @ turn.T
