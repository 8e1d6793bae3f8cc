"""Compiled positions of pixels and their rays agree with naive loops and with the formulas."""

import math

import pytest
import torch

from nerfloss.kernels import pixel_ops

WIDTH, HEIGHT, VIEWS = 7, 5, 3


def test_positions_are_those_of_rows_of_images():
    flat = torch.arange(VIEWS * HEIGHT * WIDTH).flip(0)
    view, pixel = pixel_ops.pixel_positions(flat, WIDTH, HEIGHT)
    expected = [
        (i, column + 0.5, row + 0.5)
        for i in range(VIEWS)
        for row in range(HEIGHT)
        for column in range(WIDTH)
    ]
    found = [(int(i), *where.tolist()) for i, where in zip(view, pixel, strict=True)]
    assert found == expected[::-1]
    assert pixel.dtype == torch.float32


def cameras():
    torch.manual_seed(0)
    rotations, _ = torch.linalg.qr(torch.randn(VIEWS, 3, 3))
    matrices = rotations @ torch.tensor([[0.1, 0, -0.4], [0, 0.1, -0.3], [0, 0, 1]])
    return matrices, torch.cat([rotations, torch.randn(VIEWS, 3, 1)], -1)


def test_rays_begin_at_the_camera_and_have_unit_length():
    matrices, poses = cameras()
    view, pixel = torch.tensor([2, 0, 2]), torch.tensor([[0.5, 0.5], [6.5, 1.5], [3.5, 4.5]])
    origins, directions = pixel_ops.pinhole_rays(view, pixel, matrices, poses)
    for i, at in enumerate(view.tolist()):
        assert origins[i].tolist() == poses[at, :, 3].tolist()
        along = matrices[at] @ torch.tensor([*pixel[i].tolist(), 1.0])
        torch.testing.assert_close(directions[i], along / math.sqrt(float(along.dot(along))))


@pytest.mark.parametrize("count", [0, 40])
def test_compiled_rays_agree_with_the_formulas(count, monkeypatch):
    matrices, poses = cameras()
    inputs = (torch.randint(VIEWS, (count,)), 7 * torch.rand(count, 2), matrices, poses)
    found = pixel_ops.pinhole_rays(*inputs)
    monkeypatch.setattr(pixel_ops, "is_cpu_float32", lambda *_: False)
    for ours, theirs in zip(found, pixel_ops.pinhole_rays(*inputs), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_rays_of_refined_poses_have_gradients():
    matrices, poses = cameras()
    poses.requires_grad_()
    origins, _ = pixel_ops.pinhole_rays(torch.tensor([1]), torch.zeros(1, 2), matrices, poses)
    origins.sum().backward()
    assert poses.grad is not None
    assert poses.grad[1, :, 3].tolist() == [1, 1, 1]
