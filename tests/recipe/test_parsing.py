"""What a recipe cannot read, or cannot be fed, and what it says then."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from nerfloss.losses.curvature import curvature
from nerfloss.losses.eikonal import eikonal
from nerfloss.losses.photometric import charbonnier, l1
from nerfloss.quantities.remedies import REMEDIES
from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe import Balancer, LossRecipe, RecipeError, schedules


def photo(rgb: Tensor, target_rgb: Tensor) -> Tensor:
    return (rgb - target_rgb).abs()


class Gained(nn.Module):
    """A term with a learned parameter."""

    def __init__(self, *, gain: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))

    def forward(self, rgb: Tensor, target_rgb: Tensor) -> Tensor:
        return self.gain * photo(rgb, target_rgb)


class ByMask(Balancer):
    """A balancer that needs the data's masks."""

    def forward(self, losses, target_mask):
        return {name: target_mask.mean() for name in losses}


def positional_default(rgb, scale=1.0):
    return rgb * scale


def draws(rgb, generator=None):
    return rgb * torch.rand(1, generator=generator)


def draws_from_another(rgb, generator="mine"):
    return rgb * len(generator)


def takes_anything(rgb, **settings):  # noqa: ARG001
    return rgb


def unset(rgb, *, sigma):
    return rgb * sigma


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"weight": 1.0}, "sets 'weight' but has no 'fn', so the recipe has no term of that name"),
        ({"fn": photo, "wheight": 1.0}, "has the unknown key 'wheight'; did you mean 'weight'?"),
        ({"fn": photo, "colour": 1.0}, "has the unknown key 'colour': a term has the keys fn, "),
        ({"fn": photo, "weight": -1.0}, "has weight -1.0: a weight is a finite number, 0 or more"),
        ({"fn": photo, "weight": math.nan}, "has weight nan"),
        ({"fn": photo, "weight": "0.1"}, "has weight '0.1'"),
        ({"fn": photo, "weight": True}, "has weight True"),
        ({"fn": photo, "weight": None}, "has weight None"),
        ({"fn": photo, "schedule": 5}, "has schedule 5: a schedule is a function of the step"),
        ({"fn": photo, "where": 5}, "has where 5: name one quantity"),
        ({"fn": "photo"}, "has fn 'photo', which cannot be called"),
        ({"fn": partial(Gained, gain=1.0)}, "has the class Gained for fn, not an instance"),
        ({"fn": partial(photo, rgb=0)}, "binds 'rgb', which the run provides"),
        ({"fn": partial(photo, 0)}, "binds 'rgb', which the run provides"),
        ({"fn": partial(charbonnier, epss=1)}, r"no setting 'epss' .*; did you mean 'eps'\?"),
        ({"fn": unset}, "leaves its setting 'sigma' without a value"),
        ({"fn": positional_default}, "has a default for 'scale'"),
        ({"fn": draws_from_another}, "has a default for 'generator'"),
        ({"fn": takes_anything}, r"takes \*\*settings: quantities and settings need names"),
        ({"fn": l1, "inputs": {"predicton": "rgb"}}, "did you mean 'prediction'?"),
        ({"fn": l1, "inputs": {"prediction": 3}}, "inputs give 'prediction' the value 3"),
        ({"fn": l1, "inputs": "rgb"}, "has inputs 'rgb': map parameters to quantities"),
        (3, "is 3, not a term"),
        (photo, "is a function, not a term"),
        ({"_target_": "mylab.photo", "weight": 1.0}, "is a function, not a term"),
    ],
)
def test_a_term_that_cannot_be_parsed_is_refused_with_the_reason(spec, reason):
    with pytest.raises(RecipeError, match=rf"cannot be built:\n  mine: .*{reason}"):
        LossRecipe({"mine": spec})


def test_an_optional_generator_is_needed_like_any_quantity():
    recipe = LossRecipe({"mine": {"fn": draws}})
    assert recipe.all_needs() == {"rgb", "generator"}
    fed = {"rgb": torch.ones(2, 3), "generator": torch.Generator().manual_seed(7)}
    expected = torch.rand(1, generator=torch.Generator().manual_seed(7))
    torch.testing.assert_close(recipe(fed, 0).total, expected[0])


def test_every_fault_of_every_term_is_in_one_message():
    with pytest.raises(RecipeError) as caught:
        LossRecipe({"a": {"weight": -1}, "b": {"fn": photo}, "c": {"fn": photo, "where": 1}})
    assert [line.split(":")[0] for line in str(caught.value).splitlines()[1:]] == [
        "  a",
        "  a",
        "  c",
    ]


def test_an_empty_recipe_is_refused():
    with pytest.raises(RecipeError, match="needs at least one term, got none"):
        LossRecipe({})


def test_check_lists_every_fault_of_every_term():
    recipe = LossRecipe(
        {
            "rgb": {"fn": photo, "where": "target_mask"},
            "eikonal": {"fn": eikonal, "weight": 0.1},
            "mask": {"fn": lambda target_maks: target_maks},
            "curvature": {"fn": curvature, "schedule": schedules.after(1000)},
        }
    )
    with pytest.raises(RecipeError) as caught:
        recipe.check({"rgb", "target_rgb", "opacity"})
    assert str(caught.value) == (
        "this run cannot feed its loss recipe:\n"
        "  rgb: needs 'target_mask', which only datasets with masks provide\n"
        "  eikonal: needs 'gradients', which only SDF fields provide (model=neus, model=volsdf)\n"
        "  mask: needs 'target_maks', which nothing provides; did you mean 'target_mask'?\n"
        "  curvature: needs 'laplacian', which only SDF fields provide (model=neus, model=volsdf)\n"
        f"  to do: {REMEDIES['datasets with masks']}; or leave it out: loss.terms.rgb.weight=0"
    )


SOURCES_OF_DATA = {q.source for q in VOCABULARY.values() if q.source.startswith("datasets with")}


def test_every_kind_of_data_has_a_remedy():
    assert REMEDIES.keys() == SOURCES_OF_DATA


@pytest.mark.parametrize("source", sorted(SOURCES_OF_DATA))
def test_a_remedy_is_given_once_for_all_terms_that_lack_the_same_data(source):
    name = next(name for name, quantity in VOCABULARY.items() if quantity.source == source)
    first, second = ({"fn": l1, "inputs": {"target": name}, "weight": w} for w in (1.0, 2.0))
    with pytest.raises(RecipeError) as caught:
        LossRecipe({"first": first, "second": second}).check({"prediction"})
    assert str(caught.value).count(REMEDIES[source]) == 1
    assert str(caught.value).endswith(
        "or leave it out: loss.terms.first.weight=0 loss.terms.second.weight=0"
    )


def test_patches_of_what_the_data_lacks_are_not_blamed_on_the_batch():
    recipe = LossRecipe({"mask": {"fn": lambda patch_target_mask: patch_target_mask}})
    with pytest.raises(RecipeError, match=r"only batches of patches provide \(batch=patch\)"):
        recipe.check({"rgb"})
    expected = r"'patch_target_mask', from 'target_mask', which only datasets with masks provide\n"
    with pytest.raises(RecipeError, match=expected):
        recipe.check({"rgb", "patch_shape"})


def test_a_balancer_that_lacks_data_is_left_out_by_another():
    recipe = LossRecipe({"rgb": {"fn": photo}}, balancer=ByMask())
    with pytest.raises(RecipeError, match=r"(?s)balancer: needs 'target_mask'.*loss/balancer=none"):
        recipe.check({"rgb", "target_rgb"})


def test_check_suggests_quantities_of_the_user():
    recipe = LossRecipe({"mine": {"fn": lambda albedos: albedos}})
    with pytest.raises(RecipeError, match="nothing provides; did you mean 'my_albedos'"):
        recipe.check({"my_albedos"})


def test_check_passes_where_all_quantities_are_offered():
    LossRecipe({"rgb": {"fn": photo}}).check({"rgb", "target_rgb", "more"})
