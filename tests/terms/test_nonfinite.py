"""A loss or gradient that is not finite: who is named."""

import math

import pytest
from torch import Tensor

from nerfloss.losses.eikonal import eikonal
from nerfloss.recipe import LossRecipe, NonFiniteLoss
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
    assert (caught.value.term, caught.value.quantity) == ("e", "gradients")
    assert "holds 3 of 90 values that are not finite (nan)" in str(caught.value)


def test_a_loss_that_spoils_finite_quantities_is_blamed_itself(quantities):
    recipe = LossRecipe({"rgb": {"fn": photo}, "roots": {"fn": roots}})
    with pytest.raises(NonFiniteLoss, match=r"'roots' is nan.*although all.*\('sdf'\) is finite"):
        recipe(quantities, 0)


def test_weights_that_overflow_are_blamed(quantities):
    recipe = LossRecipe({"a": {"fn": photo, "weight": 1e39}})
    with pytest.raises(NonFiniteLoss, match=r"although every term is .*overflows"):
        recipe(quantities, 0)


def test_blame_names_the_gradient_that_is_not_finite(quantities):
    quantities["sdf"] = quantities["sdf"].abs()
    quantities["sdf"][0, 0] = 0.0
    recipe = LossRecipe({"rgb": {"fn": photo}, "roots": {"fn": roots}})
    assert recipe(quantities, 0).total.isfinite()
    sentence = recipe.blame(quantities, 0)
    assert "gradient of loss term 'roots' with respect to its quantity 'sdf'" in sentence
    assert "1 of 30 values that are not finite (inf)" in sentence


def test_blame_acquits_every_term_whose_gradient_is_finite(quantities):
    recipe = LossRecipe({"rgb": {"fn": photo}, "e": {"fn": eikonal, "where": "target_mask"}})
    assert "every loss term (rgb, e) has a finite gradient" in recipe.blame(quantities, 0)
