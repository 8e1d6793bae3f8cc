"""Sphere tracing of many rays, compared with a loop over single rays."""

import pytest
import torch

import nerfloss.data.synthetic.sphere_tracing as tracing
from nerfloss.data.synthetic.analytic_scenes import MODELS
from nerfloss.data.synthetic.camera_layouts import cameras_at, fibonacci_sphere
from nerfloss.data.synthetic.sphere_tracing import (
    BOUND,
    LEAST_STEP,
    STEPS,
    TOLERANCE,
    block_rays,
    march,
)


def marched_alone(sdf, origin, direction, t, spread):
    """Trace one cone; return its distance and whether it touches."""
    far = float(origin.norm()) + BOUND
    for _ in range(STEPS):
        away = float(sdf((origin + t * direction)[None]))
        ahead = (t + away) / (1 + spread)
        close = ahead - t < 0.25 * spread * t + TOLERANCE
        t = max(t if spread > 0 or close else t + LEAST_STEP, ahead)
        if close or t > far:
            return t, close
    return t, spread > 0


@pytest.fixture
def sdf():
    return MODELS["blobs"]().sdf


@pytest.fixture
def rays():
    cameras = cameras_at(2.7 * fibonacci_sphere(3), 16, 38.0)
    return block_rays(cameras, torch.arange(3 * 256), 1)


@pytest.mark.parametrize("spread", [0.0, 0.03])
def test_tracing_many_rays_equals_tracing_each_alone(monkeypatch, sdf, rays, spread):
    # Small chunks, so that new rays join active ones many times.
    monkeypatch.setattr(tracing, "CHUNK", 100)
    starts = torch.full((len(rays),), 2.7 - BOUND)
    reached, touches = march(sdf, rays, starts, spread)
    assert 0.1 < touches.float().mean() < 0.9
    for index in range(0, len(rays), 7):
        alone = rays.origins[index], rays.directions[index]
        t, touched = marched_alone(sdf, *alone, float(starts[index]), spread)
        assert bool(touches[index]) == touched
        # Finished rays are removed in groups and may advance a little until then.
        nearer = float(reached[index]) - t
        assert not touched or -1e-5 < nearer < 0.5 * spread * t + 2 * TOLERANCE


def test_tracing_no_rays_returns_empty_tensors(sdf, rays):
    reached, touches = march(sdf, rays[:0], torch.zeros(0))
    assert len(reached) == len(touches) == 0


def test_rays_of_blocks_pass_through_the_centres_of_their_pixels():
    cameras, block, shift = cameras_at(2.7 * fibonacci_sphere(2), 7, 38.0), 2, 0.25
    places = [(v, row, column) for v in range(2) for row in range(4) for column in range(4)]
    rays = block_rays(cameras, torch.arange(len(places)), block, shift)
    for index, (view, row, column) in enumerate(places):
        center = torch.tensor([column + 0.5 + shift, row + 0.5 + shift])
        expected = cameras.rays(torch.tensor([view]), block * center[None], torch.zeros(1, 3))
        assert rays.view[index] == view
        assert torch.equal(rays.directions[index], expected.directions[0])
