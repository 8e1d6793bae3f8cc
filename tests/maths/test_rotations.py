"""Rotations: the exponential map is exact and differentiable everywhere, alignment finds gauges."""

import math

import pytest
import torch

from nerfloss.maths.rotations import (
    SMALL,
    aligned_poses,
    nearest_rotation,
    rotation_angle,
    rotation_exp,
)


def vectors(length, count=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    found = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return length * found / found.norm(dim=-1, keepdim=True)


def skew(vector):
    x, y, z = vector.tolist()
    return torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)


@pytest.mark.parametrize(
    "length", [0.0, 1e-9, 1e-3, SMALL**0.5 - 1e-6, SMALL**0.5 + 1e-6, 1.0, 3.0]
)
def test_the_exponential_map_is_that_of_the_cross_product_matrix(length):
    for vector, rotation in zip(vectors(length), rotation_exp(vectors(length)), strict=True):
        expected = torch.linalg.matrix_exp(skew(vector))
        assert torch.allclose(rotation, expected, rtol=0, atol=2e-15)


def test_the_rotation_about_nothing_is_exactly_the_identity():
    assert torch.equal(rotation_exp(torch.zeros(2, 3)), torch.eye(3).expand(2, 3, 3))


@pytest.mark.parametrize("length", [0.0, 1e-4, SMALL**0.5, 2.0])
def test_the_gradient_of_the_exponential_map_is_exact_also_at_zero(length):
    assert torch.autograd.gradcheck(rotation_exp, vectors(length).requires_grad_())


@pytest.mark.parametrize("angle", [0.0, 1e-7, 0.3, 3.0])
def test_the_angle_of_a_rotation_is_the_length_of_its_vector(angle):
    assert rotation_angle(rotation_exp(vectors(angle))).tolist() == pytest.approx(
        [angle] * 5, abs=1e-14
    )


def test_the_nearest_rotation_of_a_disturbed_rotation_is_a_proper_one():
    rotation = rotation_exp(vectors(2.0))[0]
    found = nearest_rotation(3 * rotation)
    assert torch.allclose(found, rotation, atol=1e-12)
    mirrored = nearest_rotation(torch.diag(torch.tensor([1.0, 1.0, -1.0])))
    assert float(torch.linalg.det(mirrored)) == pytest.approx(1.0)


def test_alignment_removes_a_similarity_of_the_world():
    rotations, centers = rotation_exp(vectors(1.0)), vectors(2.7, seed=1)
    poses = torch.cat([rotations, centers[:, :, None]], -1)
    turn = rotation_exp(vectors(0.4, seed=2))[0]
    moved = turn @ poses
    moved[:, :, 3] = 1.3 * moved[:, :, 3] + torch.tensor([0.1, -0.2, 0.3])
    assert torch.allclose(aligned_poses(moved, poses), poses, atol=1e-12)


def test_alignment_leaves_the_errors_of_single_cameras():
    rotations, centers = rotation_exp(vectors(1.0, 40)), vectors(2.7, 40, seed=1)
    poses = torch.cat([rotations, centers[:, :, None]], -1)
    wrong = poses.clone()
    wrong[0, :, :3] = wrong[0, :, :3] @ rotation_exp(torch.tensor([0.1, 0, 0]).double())
    angles = rotation_angle(aligned_poses(wrong, poses)[:, :, :3] @ poses[:, :, :3].mT)
    assert math.isclose(float(angles[0]), 0.1, rel_tol=0.05)
    assert float(angles[1:].max()) < 0.01
