"""Corrections of radial distortion: rays, fitted lenses and exported cameras agree."""

from dataclasses import replace

import pytest
import torch
from test_camera_deltas import LENSES, RAYS, VIEWS, cameras, rays_of

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.pose_refinement.radial_corrections import (
    radially_corrected,
    radially_corrected_camera,
    radially_corrected_rays,
)

CORRECTIONS = torch.tensor([[0.0, 0.0], [0.05, 0.0], [-0.04, 0.02], [0.02, -0.03]])


def corrected_rays(given, corrections):
    rays = rays_of(given)
    axes = given.poses[rays.view, :, 2]
    return radially_corrected_rays(rays, corrections[rays.view], axes)


def angle_in_pixels(found, expected, focal=60.0):
    return focal * (found.directions - expected.directions).norm(dim=-1)


@pytest.mark.parametrize("lens", LENSES)
def test_corrected_rays_are_those_of_the_fitted_lenses(lens):
    given = cameras(lens)
    found, expected = corrected_rays(given, CORRECTIONS), rays_of(given)
    moved = angle_in_pixels(found, expected)
    assert moved[expected.view == 0].max() < 1e-4
    assert moved[expected.view == 1].max() > 0.2
    fitted = rays_of(radially_corrected(given, CORRECTIONS))
    assert angle_in_pixels(found, fitted).max() < 0.02


@pytest.mark.parametrize("lens", LENSES)
def test_an_exported_camera_has_the_fitted_lens(lens):
    given, camera = cameras(lens), LENSES[lens]
    rows = radially_corrected(given, CORRECTIONS).lens
    poses = given.poses.double().numpy()
    exported = [radially_corrected_camera(camera, correction) for correction in CORRECTIONS]
    assert exported[0] is camera
    assert exported[1].model in ("OPENCV", "FULL_OPENCV")
    found = Cameras.of(exported, poses).lens
    assert torch.allclose(found[:, :16], rows[:, :16].double(), atol=1e-4)


def test_rays_are_differentiable_in_double_precision():
    given = cameras()
    rays = rays_of(given)
    rays = replace(rays, directions=rays.directions.double())
    axes = given.poses[rays.view, :, 2].double()
    corrections = CORRECTIONS.double()[rays.view].requires_grad_()
    assert len(corrections) == RAYS
    assert len(given) == VIEWS

    def directions(values):
        return radially_corrected_rays(rays, values, axes).directions

    assert torch.autograd.gradcheck(directions, (corrections,))
