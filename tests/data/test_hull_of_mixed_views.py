"""The visual hull of views of several sizes and lenses."""

from dataclasses import replace

import torch
from small_scenes import small_scene

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.views import Views
from nerfloss.data.visual_hull import visual_hull

BOX = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])


def through_lenses(views: Views) -> Views:
    """The same views with a distortion that is too small to matter."""
    width, height = views.cameras.size(0)
    cameras = []
    for matrix in views.cameras.intrinsics.tolist():
        (fx, _, cx), (_, fy, cy), _ = matrix
        cameras.append(Camera("OPENCV", width, height, (fx, fy, cx, cy, 1e-12, 0.0, 0.0, 0.0)))
    made = Cameras.of(cameras, views.cameras.poses.double().numpy())
    assert made.lens is not None
    return replace(views, cameras=replace(views.cameras, lens=made.lens))


def padded(views: Views) -> Views:
    """The same views, stored in the corner of larger images."""
    width, height = views.cameras.width, views.cameras.height
    sizes = torch.tensor([[width, height]]).repeat(len(views), 1)
    cameras = replace(views.cameras, width=width + 7, height=height + 3, sizes=sizes)
    rgb = torch.zeros(len(views), height + 3, width + 7, 3, dtype=torch.uint8)
    mask = torch.zeros(len(views), height + 3, width + 7, dtype=torch.uint8)
    rgb[:, :height, :width] = views.rgb
    mask[:, :height, :width] = views.mask
    return Views(cameras, views.names, rgb, mask)


def test_hulls_do_not_depend_on_how_views_are_stored():
    views = small_scene("craters", views=6, test_views=1, size=24).train
    for dilate in (0, 1):
        expected = visual_hull(views, BOX, 20, dilate=dilate)
        assert expected.any()
        assert torch.equal(visual_hull(padded(views), BOX, 20, dilate=dilate), expected)
        lenses = visual_hull(through_lenses(views), BOX, 20, dilate=dilate)
        assert (lenses != expected).float().mean() < 1e-3
    some = [visual_hull(v, BOX, 20, votes=3) for v in (views, through_lenses(views))]
    assert (some[0] != some[1]).float().mean() < 1e-3
    both = visual_hull(through_lenses(padded(views)), BOX, 20)
    assert (both != visual_hull(views, BOX, 20)).float().mean() < 1e-3
