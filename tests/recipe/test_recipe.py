"""The recipe: what it asks for, what it adds up, what it reports and saves."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from nerfloss.losses.curvature import curvature
from nerfloss.losses.eikonal import eikonal
from nerfloss.losses.photometric import charbonnier
from nerfloss.recipe import Balancer, LossRecipe, RecipeError, schedules
from nerfloss.recipe.balancers.none import Unbalanced
from nerfloss.testing.quantities import fake


def photo(rgb: Tensor, target_rgb: Tensor) -> Tensor:
    return (rgb - target_rgb).abs()


class Gained(nn.Module):
    """A term with a learned parameter."""

    def __init__(self, *, gain: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))

    def forward(self, rgb: Tensor, target_rgb: Tensor) -> Tensor:
        return self.gain * photo(rgb, target_rgb)


class Halved(Balancer):
    """A balancer that keeps half of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: torch.tensor(0.5) for name in losses}


@pytest.fixture
def quantities():
    return {name: fake(name) for name in ("rgb", "target_rgb", "target_mask", "gradients")}


def test_a_term_needs_the_positional_parameters_of_its_function():
    assert LossRecipe({"rgb": {"fn": photo}}).needs(0) == {"rgb", "target_rgb"}


def test_bound_settings_do_not_hide_what_a_term_needs():
    fn = partial(charbonnier, eps=0.1)
    recipe = LossRecipe({"rgb": {"fn": fn, "inputs": {"prediction": "rgb", "target": "depth"}}})
    assert recipe.needs(0) == {"rgb", "depth"}


def test_where_is_needed_too():
    recipe = LossRecipe({"rgb": {"fn": photo, "where": "target_mask"}})
    assert recipe.needs(0) == {"rgb", "target_rgb", "target_mask"}


def test_needs_follow_the_schedule():
    recipe = LossRecipe({"c": {"fn": curvature, "schedule": schedules.ramp(10, 20)}})
    assert [recipe.needs(step) for step in (0, 10, 11)] == [set(), set(), {"laplacian"}]
    assert recipe.all_needs() == {"laplacian"}


def test_a_term_of_weight_0_needs_nothing_and_is_not_computed(quantities):
    def explodes(laplacian):
        raise AssertionError(f"computed from {laplacian}")

    recipe = LossRecipe({"rgb": {"fn": photo}, "off": {"fn": explodes, "weight": 0.0}})
    assert recipe.all_needs() == recipe.needs(0) == {"rgb", "target_rgb"}
    recipe.check({"rgb", "target_rgb"})
    assert list(recipe(quantities, 0).values) == ["rgb"]


def test_only_what_is_needed_is_looked_up(quantities):
    class Counting(dict):
        seen: list[str] = []  # noqa: RUF012

        def __getitem__(self, name):
            self.seen.append(name)
            return super().__getitem__(name)

    LossRecipe({"rgb": {"fn": photo}, "e": {"fn": eikonal}})(counting := Counting(quantities), 0)
    assert sorted(counting.seen) == ["gradients", "rgb", "target_rgb"]


def test_what_is_not_a_tensor_may_be_a_quantity(quantities):
    def asks(field, step, rgb):
        return field(rgb) * step

    recipe = LossRecipe({"asks": {"fn": asks}})
    report = recipe({**quantities, "field": torch.ones_like, "step": 3}, 3)
    assert report.total.item() == 3


def test_the_total_is_the_sum_of_weight_times_schedule_times_mean(quantities):
    half = schedules.constant(0.5)
    recipe = LossRecipe(
        {"rgb": {"fn": photo, "weight": 3}, "e": {"fn": eikonal, "weight": 0.2, "schedule": half}}
    )
    report = recipe(quantities, 0)
    rgb = photo(quantities["rgb"], quantities["target_rgb"]).mean()
    e = eikonal(quantities["gradients"]).mean()
    torch.testing.assert_close(report.total, 3 * rgb + 0.1 * e)
    assert list(report.values) == ["rgb", "e"]
    assert report.weights == {"rgb": 3.0, "e": pytest.approx(0.1)}


def test_the_report_lists_every_scalar(quantities):
    recipe = LossRecipe({"rgb": {"fn": photo, "weight": 2.0}, "e": {"fn": eikonal}}, Unbalanced())
    scalars = recipe(quantities, 0).scalars()
    assert set(scalars) == {"loss/total"} | {
        f"{kind}/{name}" for kind in ("loss", "weight", "share") for name in ("rgb", "e")
    }
    assert scalars["share/rgb"] + scalars["share/e"] == pytest.approx(1)
    total = 2 * scalars["loss/rgb"] + scalars["loss/e"]
    assert scalars["loss/total"] == pytest.approx(total)
    assert scalars["share/rgb"] == pytest.approx(2 * scalars["loss/rgb"] / total)


def test_the_report_has_the_weights_multiplied_by_the_balancer(quantities):
    recipe = LossRecipe({"rgb": {"fn": photo, "weight": 3.0}}, Halved())
    report = recipe(quantities, 0)
    assert report.scalars()["weight/rgb"] == 1.5
    torch.testing.assert_close(report.total, 1.5 * report.values["rgb"])


def test_a_step_without_terms_has_a_total_of_0(quantities):
    recipe = LossRecipe({"rgb": {"fn": photo, "schedule": schedules.after(10)}})
    report = recipe(quantities, 0)
    assert report.total.item() == 0
    assert report.scalars() == {"loss/total": 0}


def test_modules_and_the_balancer_are_saved_with_the_recipe(quantities):
    recipe = LossRecipe({"p": {"fn": Gained(gain=3.0)}}, Halved())
    assert list(recipe.state_dict()) == ["term_modules.p.gain", "balancer.seen"]
    assert recipe.needs(0) == {"rgb", "target_rgb"}
    recipe(quantities, 0).total.backward()
    assert recipe.terms["p"].fn.gain.grad is not None


def test_losses_are_computed_in_float32_outside_autocast(quantities):
    def product(rgb, target_rgb):
        assert rgb.dtype == torch.float32
        return rgb @ target_rgb.T

    quantities["rgb"] = quantities["rgb"].to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        report = LossRecipe({"p": {"fn": product}})(quantities, 0)
    assert report.total.dtype == torch.float32


def test_a_balancer_of_another_kind_is_refused():
    expected = r"is a Linear: derive it from nerfloss\.recipe\.Balancer"
    with pytest.raises(RecipeError, match=expected):
        LossRecipe({"rgb": {"fn": photo}}, nn.Linear(1, 1))
