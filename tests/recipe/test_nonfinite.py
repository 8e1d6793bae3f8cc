"""A loss or gradient that is not finite: its term, quantity and rays."""

import math

import pytest
import torch
from torch import Tensor

from nerfloss.losses.eikonal import eikonal
from nerfloss.recipe import LossRecipe, NonFiniteLoss
from nerfloss.recipe.nonfinite import affected_rays
from nerfloss.testing.quantities import fake


def photo(rgb: Tensor, target_rgb: Tensor) -> Tensor:
    return (rgb - target_rgb).abs()


def roots(sdf: Tensor) -> Tensor:
    return sdf.sqrt()


@pytest.fixture
def quantities():
    names = ("rgb", "target_rgb", "target_mask", "gradients", "sdf")
    return {name: fake(name) for name in names}


def test_a_loss_that_is_not_finite_names_the_term_and_the_quantity(quantities):
    quantities["gradients"][0, 0] = math.nan
    recipe = LossRecipe({"rgb": {"fn": photo}, "e": {"fn": eikonal}})
    with pytest.raises(
        NonFiniteLoss, match=r"'e' is nan at step 7 because its quantity 'gradien"
    ) as caught:
        recipe(quantities, 7)
    fault = caught.value.fault
    assert (fault.kind, fault.term, fault.quantity) == ("value", "e", "gradients")
    assert "holds 3 of 90 values that are not finite (nan)" in str(caught.value)


def test_a_term_that_is_not_finite_on_finite_quantities_is_at_fault_itself(quantities):
    recipe = LossRecipe({"rgb": {"fn": photo}, "roots": {"fn": roots}})
    with pytest.raises(
        NonFiniteLoss, match=r"'roots' is nan.*although every quantity.*\('sdf'\) is finite"
    ):
        recipe(quantities, 0)


def test_weights_that_overflow_are_at_fault(quantities):
    recipe = LossRecipe({"a": {"fn": photo, "weight": 1e39}})
    with pytest.raises(NonFiniteLoss, match=r"although every term is .*overflows"):
        recipe(quantities, 0)


def test_a_gradient_that_is_not_finite_names_its_term_and_quantity(quantities):
    quantities["sdf"] = quantities["sdf"].abs()
    quantities["sdf"][0, 0] = 0.0
    recipe = LossRecipe({"rgb": {"fn": photo}, "roots": {"fn": roots}})
    assert recipe(quantities, 0).total.isfinite()
    sentence = str(recipe.explain_gradient(quantities, 0))
    assert "gradient of loss term 'roots' with respect to its quantity 'sdf'" in sentence
    assert "1 of 30 values that are not finite (inf)" in sentence


def test_terms_whose_gradient_is_finite_are_not_at_fault(quantities):
    recipe = LossRecipe({"rgb": {"fn": photo}, "e": {"fn": eikonal, "where": "target_mask"}})
    assert "every loss term (rgb, e) has a finite gradient" in str(
        recipe.explain_gradient(quantities, 0)
    )


@pytest.fixture
def rays(quantities):
    names = ("origins", "view", "pixel", "opacity", "hit_points", "patch_rgb", "space_sdf")
    return {**quantities, **{name: fake(name) for name in names}}


def test_rays_are_named_with_the_view_and_the_pixel_of_the_first(rays):
    rays["gradients"][[2, 4], 1] = math.nan
    rays["view"][2], rays["pixel"][2] = 7, torch.tensor([3.5, 8.5])
    with pytest.raises(
        NonFiniteLoss, match=r"; rays 2, 4 of 6 \(the first: view 7, column 3, row 8"
    ):
        LossRecipe({"e": {"fn": eikonal}})(rays, 0)


def test_of_many_rays_five_are_listed_and_all_are_kept(rays):
    rays["gradients"][:] = math.inf
    with pytest.raises(NonFiniteLoss, match="rays 0, 1, 2, 3, 4 and 1 more of 6") as caught:
        LossRecipe({"e": {"fn": eikonal}})(rays, 0)
    assert caught.value.fault.rays == (0, 1, 2, 3, 4, 5)


def test_a_term_at_fault_itself_names_its_rays(rays):
    rays["sdf"] = rays["sdf"].abs()
    rays["sdf"][3, 1] = -1.0
    with pytest.raises(NonFiniteLoss, match=r"the term itself produced it; ray 3 of 6 \(view"):
        LossRecipe({"roots": {"fn": roots}})(rays, 0)


def test_rays_that_where_leaves_out_are_not_involved(rays):
    rays["sdf"] = -rays["sdf"].abs() - 1
    rays["target_mask"] = torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    with pytest.raises(NonFiniteLoss) as caught:
        LossRecipe({"roots": {"fn": roots, "where": "target_mask"}})(rays, 0)
    assert caught.value.fault.rays == (1, 4)


def test_a_gradient_names_its_rays(rays):
    rays["sdf"] = rays["sdf"].abs() + 1
    rays["sdf"][[1, 5], 0] = 0.0
    assert LossRecipe({"roots": {"fn": roots}}).explain_gradient(rays, 0).rays == (1, 5)


def test_rays_of_hit_points_patches_and_points_in_space(rays):
    points = rays["hit_points"]
    points[1] = math.nan
    rays["surface_hit"] = torch.tensor([True, False, True, True, True, True])
    assert affected_rays("hit_points", points, rays) == (2,)
    patches = rays["patch_rgb"]
    patches[1, 0, 2] = math.nan
    many = {"origins": torch.zeros(patches[..., 0].numel(), 3)}
    assert affected_rays("patch_rgb", patches, many) == (12 * 13 + 2,)
    rays["space_sdf"][0] = math.nan
    assert affected_rays("space_sdf", rays["space_sdf"], rays) == ()
    assert affected_rays("sharpness", torch.tensor(math.nan), rays) == ()
