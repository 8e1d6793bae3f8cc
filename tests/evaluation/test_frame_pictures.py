"""Pictures of the frames of a video."""

import numpy as np
import pytest
import torch

from nerfloss.evaluation.frame_pictures import (
    check_modes,
    depth_percentiles,
    picture,
    side_by_side,
    wipe,
    wipe_share,
)

ALONG = torch.tensor([0.0, 0.0, 1.0]).expand(4, 6, 3)


def images() -> dict[str, torch.Tensor]:
    """Images whose left half is hit, by a surface that faces the camera."""
    opacity = torch.zeros(4, 6)
    opacity[:, :3] = 1
    return {
        "rgb": torch.full((4, 6, 3), 0.5),
        "opacity": opacity,
        "depth": 2 * opacity,
        "normal": opacity[..., None] * torch.tensor([0.0, 0.0, -1.0]),
    }


@pytest.mark.parametrize("mode", ["depth", "normal", "opacity"])
def test_pixels_that_hit_nothing_are_black(mode: str) -> None:
    made = picture(mode, images(), ALONG, (1.0, 3.0))
    assert made.shape == (4, 6, 3)
    assert (made[:, 3:] == 0).all()
    assert (made[:, :3].max(-1) > 0).all()


def test_a_surface_that_faces_the_camera_is_white_and_one_at_right_angles_dark() -> None:
    assert (picture("shaded", images(), ALONG, (0.0, 1.0)) == 255).all()
    across = torch.tensor([1.0, 0.0, 0.0]).expand(4, 6, 3)
    made = picture("shaded", images(), across, (0.0, 1.0))
    assert (made[:, :3] == 64).all()
    assert (made[:, 3:] == 255).all()


def test_one_depth_has_one_colour_in_a_fixed_range() -> None:
    near, far = images(), images()
    far["depth"] = far["depth"] + 10 * (1 - far["opacity"])
    first, second = (picture("depth", each, ALONG, (1.0, 3.0)) for each in (near, far))
    np.testing.assert_array_equal(first, second)


def test_percentiles_of_depth_count_only_what_is_hit() -> None:
    depth, opacity = torch.linspace(1, 2, 1001), torch.ones(1001)
    assert depth_percentiles(depth, opacity) == pytest.approx((1.01, 1.99))
    opacity[500:] = 0
    depth[500:] = 1e6
    found = depth_percentiles(depth, opacity)
    assert found is not None
    assert found[1] < 1.5
    assert depth_percentiles(depth, torch.zeros(1001)) is None


def test_a_mode_that_the_model_does_not_offer_is_refused_with_those_it_does() -> None:
    offers = frozenset({"rgb", "opacity"})
    check_modes(("rgb", "opacity"), offers)
    with pytest.raises(ValueError, match=r"'normal' needs normal, .* choose from rgb, opacity$"):
        check_modes(("rgb", "normal"), offers)


def test_a_wipe_moves_from_the_first_picture_to_the_second_and_back() -> None:
    left, right = np.zeros((2, 100, 3), np.uint8), np.full((2, 100, 3), 9, np.uint8)
    assert (wipe(left, right, wipe_share(0, 10))[:, :99] == 0).all()
    assert (wipe(left, right, wipe_share(5, 10))[:, 1:] == 9).all()
    half = wipe(left, right, 0.5)
    assert (half[:, :49] == 0).all()
    assert (half[:, 51:] == 9).all()
    assert (half[:, 49:51] == 255).all()
    assert side_by_side([left, right]).shape == (2, 200, 3)
