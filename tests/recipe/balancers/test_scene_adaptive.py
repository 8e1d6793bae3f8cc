"""Scene-adaptive weighting: what it measures, and whom it lets count more or less."""

import pytest
import torch

from nerfloss.recipe import LossRecipe
from nerfloss.recipe.balancers.scene_adaptive import (
    SceneAdaptive,
    color_differences,
    depth_variance,
)
from nerfloss.testing.quantities import fake


def photo(rgb, target_rgb):
    return (rgb - target_rgb).abs()


def smooth(gradients):
    return gradients.square()


def recipe(balancer):
    return LossRecipe({"rgb": {"fn": photo, "weight": 2.0}, "smooth": {"fn": smooth}}, balancer)


def scene(weights, images):
    """Two rays of three samples at 1, 2 and 3, and one image for both."""
    edges = torch.tensor([[0.5, 1.5, 2.5], [0.5, 1.5, 2.5]])
    return {
        "weights": torch.tensor(weights),
        "t_starts": edges,
        "t_ends": edges + 1,
        "view_images": images,
        "view": torch.tensor([0, 0]),
        "pixel": torch.tensor([[0.5, 0.5], [3.5, 2.5]]),
        **{name: fake(name) for name in ("rgb", "target_rgb", "gradients")},
    }


SURE = [[0.0, 0.9, 0.0], [0.9, 0.0, 0.0]]
UNSURE = [[0.3, 0.3, 0.3], [0.3, 0.3, 0.3]]
PLAIN = torch.full((1, 3, 4, 3), 77)
CHECKERED = 255 * ((torch.arange(3)[:, None] + torch.arange(4)) % 2)[None, ..., None].repeat(
    1, 1, 1, 3
)


def factor(weights, images, **settings):
    report = recipe(SceneAdaptive(**settings))(scene(weights, images), 0)
    assert report.scalars()["weight/rgb"] == 2  # what is observed keeps its weight
    return report.scalars()["balance/smooth"]


def test_a_certain_depth_and_a_uniform_image_give_a_factor_of_1():
    assert factor(SURE, PLAIN) == pytest.approx(1)


def test_an_uncertain_depth_increases_the_factor():
    # The variance of 1, 2, 3 is 2/3, of which 0.1^2 is added below.
    share = (2 / 3) / (2 / 3 + 0.01)
    assert factor(UNSURE, PLAIN, unsure=2.0) == pytest.approx(1 + 2 * share, rel=1e-5)


def test_detail_in_the_images_decreases_the_factor():
    # Every neighbour differs by 1, to which 0.1 is added below.
    assert factor(SURE, CHECKERED, detailed=3.0) == pytest.approx(1 / (1 + 3 / 1.1), rel=1e-5)


def test_both_are_averaged_over_time():
    balancer = SceneAdaptive(decay=0.5)
    both = recipe(balancer)
    both(scene(SURE, PLAIN), 0)
    found = both(scene(UNSURE, PLAIN), 1).scalars()["balance/smooth"]
    share = (2 / 3) / (2 / 3 + 0.01)
    # Weights 1/4 and 1/2 of the two steps, by what they sum to.
    assert found == pytest.approx(1 + share * 0.5 / 0.75, rel=1e-5)


def test_rays_that_hit_nothing_have_no_uncertainty():
    assert factor([[0.0] * 3] * 2, PLAIN) == pytest.approx(1)


def test_it_needs_the_quantities_of_its_signature():
    needs = recipe(SceneAdaptive()).needs(0)
    assert {"weights", "t_starts", "t_ends", "view_images", "view", "pixel"} <= needs
    with pytest.raises(ValueError, match="balancer: needs 'view_images', which only datasets"):
        recipe(SceneAdaptive()).check(needs - {"view_images"})


def test_depth_variance_is_that_of_the_weights():
    generator = torch.Generator().manual_seed(0)
    weights, distances = (torch.rand(4, 6, generator=generator) for _ in range(2))
    for w, t, found in zip(weights, distances, depth_variance(weights, distances), strict=True):
        mean = (w * t).sum() / w.sum()
        torch.testing.assert_close(found, (w * (t - mean) ** 2).sum() / w.sum())


def test_color_differences_are_differences_to_the_right_and_below():
    images = torch.randint(0, 256, (2, 5, 6, 3), generator=torch.Generator().manual_seed(0))
    view, pixel = torch.tensor([1, 0]), torch.tensor([[2.5, 3.5], [5.5, 4.5]])
    found = color_differences(images, view, pixel)
    # The second ray is in the last corner: the pixel before it, in both axes, stands for it.
    for ray, (v, row, column) in enumerate([(1, 3, 2), (0, 3, 4)]):
        here = images[v, row, column] / 255
        right, below = images[v, row, column + 1] / 255, images[v, row + 1, column] / 255
        expected = 0.5 * ((right - here).abs() + (below - here).abs()).mean()
        torch.testing.assert_close(found[ray], expected)


@pytest.mark.parametrize("setting", [{"unsure": -1.0}, {"depth_scale": 0.0}, {"decay": 1.0}])
def test_invalid_settings_are_refused(setting):
    (name,) = setting
    with pytest.raises(ValueError, match=rf"loss\.balancer\.{name} has to be"):
        SceneAdaptive(**setting)
