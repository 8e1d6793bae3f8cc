"""Silhouettes cover the pixels that see a region, and few others."""

from dataclasses import replace

import pytest
import torch
from small_scenes import small_scene

from nerfloss.data.visual_hull import cell_centers
from nerfloss.initialization.silhouettes import silhouettes

BOX = torch.tensor([[-0.9, -1.0, -0.8], [0.9, 0.8, 1.0]])


@pytest.fixture(scope="module")
def scene():
    return small_scene("cage", views=4, test_views=1, size=60)


def region_of(scene, resolution=32):
    points = cell_centers(BOX, resolution)
    return (scene.sdf(points) < 0.04).reshape(3 * [resolution])


def test_every_point_of_the_region_lies_in_every_silhouette(scene):
    region, cameras = region_of(scene), scene.train.cameras
    masks = silhouettes(region, BOX, cameras)
    cell = (BOX[1] - BOX[0]) / 32
    points = cell_centers(BOX, 32)[region.reshape(-1)]
    points = points + (torch.rand(points.shape) - 0.5) * cell
    for view in range(len(cameras)):
        column, row = cameras.project(points, view)[0].floor().long().unbind(-1)
        assert (masks[view, row, column] == 255).all()


def test_silhouettes_contain_the_object_and_are_slightly_larger(scene):
    masks = silhouettes(region_of(scene), BOX, scene.train.cameras)
    assert (masks[scene.train.mask > 0] == 255).all()
    wide = torch.nn.functional.max_pool2d((scene.train.mask > 0).float(), 21, 1, 10)
    assert (masks[wide == 0] == 0).all()


def test_empty_region_has_an_empty_mask_and_the_full_region_a_full_one(scene):
    nothing = torch.zeros(8, 8, 8, dtype=torch.bool)
    assert not silhouettes(nothing, BOX, scene.train.cameras).any()
    around = 3 * BOX
    close = replace(scene.train.cameras, poses=scene.train.cameras.poses * 0.4)
    assert (silhouettes(~nothing, around, close) == 255).all()


def test_mask_of_a_camera_inside_the_region_is_full(scene):
    poses = scene.train.cameras.poses.clone()
    poses[:, :, 3] = 0.0
    ball = (cell_centers(BOX, 16).norm(dim=-1) < 0.15).reshape(16, 16, 16)
    inside = replace(scene.train.cameras, poses=poses)
    assert (silhouettes(ball, BOX, inside) == 255).all()
