from dataclasses import replace

import numpy as np
import pytest
import torch
from small_scenes import small_scene

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.errors import DataError
from nerfloss.data.views import Views
from nerfloss.data.visual_hull import cell_centers, fit_box, hull_distance, hull_mesh, visual_hull

UNIT = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])


@pytest.fixture(scope="module")
def scene():
    return small_scene("blobs", views=20, test_views=1, size=64)


def test_the_hull_contains_the_object(scene):
    points = cell_centers(UNIT, 40)
    inside = visual_hull(scene.train, UNIT, 40).reshape(-1)
    pixel = 0.04
    assert inside[scene.sdf(points) < -pixel].all()


def test_the_hull_of_a_smooth_object_is_close_to_it(scene):
    points = cell_centers(UNIT, 40)
    inside = visual_hull(scene.train, UNIT, 40).reshape(-1)
    inside &= points.norm(dim=-1) < 0.9
    assert scene.sdf(points[inside]).max() < 0.25


def test_the_hull_equals_a_loop_over_views_and_points(scene):
    points = cell_centers(UNIT, 12)
    expected = torch.ones(len(points), dtype=torch.bool)
    for view in range(20):
        pixel, _ = scene.train.cameras.project(points, view)
        for index, (column, row) in enumerate(pixel.floor().long().tolist()):
            if 0 <= column < 64 and 0 <= row < 64:
                expected[index] &= bool(scene.train.mask[view, row, column] >= 128)
    assert torch.equal(visual_hull(scene.train, UNIT, 12).reshape(-1), expected)


@pytest.mark.parametrize("votes", [2, 3])
def test_cells_outside_of_fewer_masks_than_votes_stay_inside(scene, votes):
    points = cell_centers(UNIT, 12)
    outside = torch.zeros(len(points), dtype=torch.long)
    for view in range(20):
        pixel, _ = scene.train.cameras.project(points, view)
        for index, (column, row) in enumerate(pixel.floor().long().tolist()):
            if 0 <= column < 64 and 0 <= row < 64:
                outside[index] += bool(scene.train.mask[view, row, column] < 128)
    expected = outside < votes
    assert torch.equal(visual_hull(scene.train, UNIT, 12, votes=votes).reshape(-1), expected)


def test_one_wrong_mask_among_photographs_carves_nothing(scene):
    views = replace(scene.train, behind=scene.train.rgb).some([*range(20), *range(20)])
    wrong = views.mask.clone()
    wrong[3] = 0
    right = visual_hull(views, UNIT, 16)
    assert torch.equal(visual_hull(replace(views, mask=wrong), UNIT, 16), right)
    assert not visual_hull(replace(views, mask=wrong, behind=None), UNIT, 16).any()


def test_cells_outside_of_all_images_stay_inside():
    cameras = Cameras(
        torch.tensor([[[100.0, 0, 4], [0, 100, 4], [0, 0, 1]]]),
        torch.tensor([[[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -3]]]),
        8,
        8,
    )
    blank = torch.zeros(1, 8, 8, dtype=torch.uint8)
    views = Views(cameras, ("narrow",), blank[..., None].repeat(1, 1, 1, 3), blank)
    inside = visual_hull(views, UNIT, 21)
    assert not inside[10, 10].any()
    assert inside[0].all()


def test_dilated_masks_only_add(scene):
    plain, wide = (visual_hull(scene.train, UNIT, 32, dilate=d) for d in (0, 2))
    assert (wide | ~plain).all()
    assert wide.sum() > plain.sum()


def test_the_distance_changes_sign_at_the_border_and_is_accurate_for_a_ball():
    points = cell_centers(UNIT, 48)
    ball = (points.norm(dim=-1) - 0.6).reshape(48, 48, 48)
    distance = hull_distance(ball < 0, UNIT)
    assert torch.equal(distance < 0, ball < 0)
    assert (distance - ball).abs().max() < 2 / 48
    # On slanted surfaces the border is a staircase, a quarter of a cell off on average.
    assert (distance - ball).mean().abs() < 0.5 / 48


def test_the_distance_is_accurate_for_cells_that_are_not_cubes():
    box = torch.tensor([[-1.0, -0.5, -0.75], [1.0, 0.5, 0.75]])
    points = cell_centers(box, 40)
    ball = (points.norm(dim=-1) - 0.4).reshape(40, 40, 40)
    assert (hull_distance(ball < 0, box) - ball).abs().max() < 2 / 40


def test_the_mesh_is_closed_with_outward_faces_at_the_surface():
    box = torch.tensor([[-1.0, -0.5, -0.75], [1.0, 0.5, 0.75]])
    inside = (cell_centers(box, 40).norm(dim=-1) < 0.4).reshape(40, 40, 40)
    mesh = hull_mesh(inside, box)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=0.05)
    assert np.abs(mesh.centroid).max() < 0.01


def test_a_solid_that_fills_the_box_has_a_closed_mesh():
    mesh = hull_mesh(torch.ones(8, 8, 8, dtype=torch.bool), UNIT)
    assert mesh.is_watertight
    assert np.abs(mesh.bounds).min() > 0.9


def test_an_empty_hull_is_an_error():
    with pytest.raises(ValueError, match=r"hull is empty.*check the poses"):
        hull_distance(torch.zeros(4, 4, 4, dtype=torch.bool), UNIT)


def test_the_fitted_box_is_tight(scene):
    box = fit_box(scene.train)
    solid = cell_centers(UNIT, 64)
    solid = solid[scene.sdf(solid) < 0]
    assert (box[0] < solid.amin(0)).all()
    assert (box[1] > solid.amax(0)).all()
    assert (box[1] - box[0] - (solid.amax(0) - solid.amin(0))).max() < 0.35


def test_without_masks_the_box_is_the_whole_cube(scene):
    views = Views(scene.train.cameras, scene.train.names, scene.train.rgb)
    assert torch.equal(fit_box(views), UNIT)
    with pytest.raises(ValueError, match="needs masks"):
        visual_hull(views, UNIT, 8)


def test_masks_without_a_common_point_are_an_error(scene):
    mask = torch.zeros_like(scene.train.mask)
    views = Views(scene.train.cameras, scene.train.names, scene.train.rgb, mask)
    with pytest.raises(DataError, match="inside every mask; check the axes"):
        fit_box(views)
