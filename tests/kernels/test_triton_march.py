"""Triton's march places samples where the definition in tensors does."""

import pytest
import torch

pytest.importorskip("triton", reason="triton is made for Linux alone")

from nerfloss.geometry import Rays, Samples
from nerfloss.kernels.triton import march as triton_march
from nerfloss.samplers import march
from nerfloss.samplers.cached_grid import CachedGrid
from nerfloss.samplers.march import March

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
BOX = torch.tensor([[-1.0, -1, -1], [1, 1.5, 1]], device=DEVICE)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def some_rays(count: int, spread: float) -> Rays:
    """From one point towards the box and past it."""
    targets = spread * (2 * torch.rand(count, 3, device=DEVICE) - 1)
    origins = torch.tensor([0.1, 0.2, -3], device=DEVICE).expand(count, 3)
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    index = torch.zeros(count, dtype=torch.int64, device=DEVICE)
    return Rays(origins, directions, torch.zeros(count, 2), index, torch.zeros_like(origins))


def sphere(sdf: bool) -> CachedGrid:
    """A cached ball, as a distance or a density, within a region that is half of the box."""
    grid = CachedGrid(16).to(DEVICE)
    axes = [(torch.arange(16, device=DEVICE) + 0.5) / 16 for _ in range(3)]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    points = torch.stack([x, y, z], -1) * (BOX[1] - BOX[0]) + BOX[0]
    distance = points.norm(dim=-1) - 0.5
    grid.values.copy_(distance if sdf else 50.0 * (distance < 0))
    grid.region[:8] = False
    return grid


def placed(rays: Rays, grid: CachedGrid, plan: March, count: int, backend: str) -> Samples:
    """Samples as the sampler places them, at random, with the same numbers for every backend."""
    generator = torch.Generator(DEVICE).manual_seed(3)
    return march.place_samples(rays, grid, BOX, plan, count, generator, backend=backend)


@pytest.mark.parametrize("sdf", [True, False])
@pytest.mark.parametrize("count", [8, 5])
def test_samples_lie_where_the_definition_places_them(sdf: bool, count: int) -> None:
    plan = March(0.11, 0.25, 40.0 if sdf else None, 1.0, 0.3, 3)
    grid, rays = sphere(sdf), some_rays(30, spread=1.2)
    found = placed(rays, grid, plan, count, "triton")
    right = placed(rays, grid, plan, count, "reference")
    has_length = right.t_ends > right.t_starts + 1e-5
    assert 0.2 < has_length.float().mean() < 1, "some rays explore or miss"
    same = (found.t_starts - right.t_starts).abs() < 1e-3
    same = same & ((found.t_ends - right.t_ends).abs() < 1e-3)
    same = torch.where(has_length, same, found.t_ends - found.t_starts < 1e-4)
    # Rounding may make a step at the very edge of the band a candidate or not.
    assert same.all(-1).float().mean() > 0.93


def test_the_march_uses_the_selected_backend(monkeypatch) -> None:
    kernels, empty = [], torch.zeros(1, 8, device=DEVICE)
    monkeypatch.setattr(march, "_place_with", lambda k, *_: kernels.append(k) or (empty, empty))
    for backend in ("triton", "reference"):
        placed(some_rays(1, 1.0), sphere(True), March(0.1, 0.2, 40.0, 1.0, 0.3, 3), 8, backend)
    assert kernels == [triton_march]


def test_rays_that_miss_the_box_have_no_samples() -> None:
    rays = some_rays(4, spread=0.5)
    away = Rays(rays.origins, -rays.directions, rays.pixel, rays.view, rays.background)
    plan = March(0.1, 0.2, 40.0, 1.0, 0.3, 3)
    found = placed(away, sphere(True), plan, 8, "triton")
    assert torch.equal(found.t_starts, found.t_ends)


def test_no_rays_are_no_error() -> None:
    plan = March(0.1, 0.2, 40.0, 1.0, 0.3, 3)
    assert placed(some_rays(0, 1.0), sphere(True), plan, 8, "triton").t_starts.shape == (0, 8)
