"""Published scenes, if NERFLOSS_TEST_DATA has them: silhouettes and cameras agree."""

from dataclasses import replace

import pytest
import torch

from nerfloss.data.formats.blender import BlenderDataset
from nerfloss.data.formats.neus import NeusDataset
from nerfloss.data.visual_hull import cell_centers, fit_box, visual_hull


def covered_fraction(views, box):
    """Return the fraction of each mask that the projected hull covers."""
    inside = visual_hull(views, box, 120)
    points = cell_centers(box, 120)[inside.reshape(-1)]
    fractions = []
    for view in range(0, len(views), 6):
        pixel, _ = views.cameras.project(points, view)
        column, row = pixel.floor().long().unbind(-1)
        seen = (column >= 0) & (column < views.cameras.width)
        seen &= (row >= 0) & (row < views.cameras.height)
        image = torch.zeros_like(views.mask[view], dtype=torch.bool)
        image[row[seen], column[seen]] = True
        mask = views.mask[view] > 127
        fractions.append((image & mask).sum() / mask.sum())
    return torch.stack(fractions)


@pytest.fixture(scope="module")
def lego(request):
    folder = request.getfixturevalue("test_data") / "lego_100"
    return BlenderDataset(str(folder)).load()


@pytest.fixture(scope="module")
def skull(request):
    folder = request.getfixturevalue("test_data") / "dtu_scan65_s8"
    return NeusDataset(str(folder)).load()


def test_lego_has_the_published_number_of_views(lego):
    assert len(lego.train) == 100
    assert len(lego.test) == 25
    assert lego.train.rgb.shape[1:] == (100, 100, 3)
    assert lego.train.offers == {"target_rgb", "target_mask"}


def test_lego_fits_the_unit_ball_and_its_silhouettes_agree(lego):
    box = fit_box(lego.train)
    assert box.abs().max() < 0.95
    assert covered_fraction(lego.train, box).min() > 0.95


def test_legos_optical_axes_meet_at_the_origin(lego):
    poses = lego.train.cameras.poses
    closest = torch.linalg.cross(poses[:, :, 3], poses[:, :, 2]).norm(dim=-1)
    assert closest.max() < 1e-3
    torch.testing.assert_close(
        poses[:, :, 3].norm(dim=-1), torch.full((100,), 4.031 / 1.5), atol=1e-2, rtol=0
    )


def test_every_eighth_view_of_the_skull_is_held_out(skull):
    assert len(skull.train) == 42
    assert skull.test.names == tuple(f"{i:06d}" for i in range(0, 49, 8))


def test_the_skulls_silhouettes_agree(skull):
    assert covered_fraction(skull.train, fit_box(skull.train)).mean() > 0.98


def test_a_principal_point_off_by_half_a_pixel_fits_the_skull_worse(skull):
    def agreement(shift):
        intrinsics = skull.train.cameras.intrinsics.clone()
        intrinsics[:, :2, 2] += shift
        views = replace(skull.train, cameras=replace(skull.train.cameras, intrinsics=intrinsics))
        return covered_fraction(views, fit_box(skull.train)).mean()

    assert agreement(0.0) > max(agreement(-1.0), agreement(1.0))


def test_skull_poses_are_rotations(skull):
    rotation = skull.train.cameras.poses[:, :, :3]
    identity = torch.eye(3).expand_as(rotation)
    torch.testing.assert_close(rotation @ rotation.mT, identity, atol=1e-5, rtol=0)
    assert (torch.linalg.det(rotation) > 0).all()
