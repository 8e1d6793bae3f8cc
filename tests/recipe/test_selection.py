"""What ``where`` gives 0 enters neither the value of a term nor a gradient, for every term."""

import copy
import math
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from random_weights import supply_weights
from torch import Tensor, nn

from nerfloss.losses.photometric import l1
from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe import LossRecipe, NonFiniteLoss, Term
from nerfloss.recipe.parsing import read_terms
from nerfloss.recipe.selection import zero_unselected_non_finite
from nerfloss.testing.quantities import SIZES, fake
from nerfloss.testing.terms import fake_quantities

CONF = Path(__file__).parents[2] / "conf"
TERMS = sorted((CONF / "loss" / "term").glob("*.yaml"))
RECIPES = sorted(file.stem for file in (CONF / "loss").glob("*.yaml"))
NON_FINITE = torch.tensor([math.nan, math.inf, -math.inf])


def shipped(file: Path, folder: Path) -> Term:
    content = OmegaConf.to_container(OmegaConf.load(file))
    supply_weights(content["fn"], folder)
    return read_terms({"term": instantiate(content, _convert_="all")})["term"]


def selecting(term: Term, quantities: dict, kind: str) -> tuple[Term, dict] | None:
    """The term with a ``where`` that leaves out every second entry; None for a scalar term."""
    errors = copy.deepcopy(term).unreduced(quantities)
    if errors.ndim == 0 and term.where is None:
        return None
    shape = quantities[term.where].shape if term.where else errors.shape[:1]
    # A name outside of the vocabulary, whose axes are identified by their sizes.
    name = term.where if term.where and kind == "mask" else "keep"
    keep = (torch.arange(math.prod(shape)) % 2 == 0).reshape(shape)
    kept = keep if kind == "mask" else keep * torch.linspace(0.2, 1.0, keep.numel()).reshape(shape)
    changed = Term(fn=term.fn, where=name, inputs=term.inputs)
    return changed, {**quantities, name: kept}


def fill_unselected(term: Term, quantities: dict, fill: Tensor) -> dict:
    """The quantities with ``fill`` in the rows that are left out, where they have such rows."""
    filled = dict(quantities)
    keep = quantities[term.where]
    rows = keep.flatten(1).any(1) if keep.ndim > 1 else keep > 0
    rays = VOCABULARY[term.where].shape.startswith("rays") if term.where in VOCABULARY else False
    for name in set(term.arguments.values()) - {term.where}:
        value = quantities[name]
        if not isinstance(value, Tensor) or not value.is_floating_point() or value.ndim == 0:
            continue
        value = value.clone()
        if value.shape[: keep.ndim] == keep.shape:
            left_out = ~(keep > 0)
        elif rays and name.startswith("patch_"):
            left_out = ~rows.reshape(value.shape[:3])
        else:
            continue
        spoilt = value[left_out]
        value[left_out] = fill[torch.arange(spoilt.numel()) % len(fill)].reshape(spoilt.shape)
        filled[name] = value
    return filled


def value_and_gradients(term: Term, quantities: dict) -> tuple[Tensor, dict[str, Tensor]]:
    """Computed by a copy, with the same random numbers each time."""
    torch.manual_seed(0)
    term = copy.deepcopy(term)
    fed = {**quantities, "generator": torch.Generator().manual_seed(0)}
    leaves = {
        name: value.clone().requires_grad_()
        for name, value in quantities.items()
        if isinstance(value, Tensor) and value.is_floating_point()
    }
    value = term({**fed, **leaves})
    if not value.requires_grad:
        return value, {}
    parameters = dict(term.fn.named_parameters()) if isinstance(term.fn, nn.Module) else {}
    inputs = {**leaves, **{name: p for name, p in parameters.items() if p.requires_grad}}
    found = torch.autograd.grad(value, list(inputs.values()), allow_unused=True)
    pairs = zip(inputs, found, strict=True)
    return value, {name: gradient for name, gradient in pairs if gradient is not None}


@pytest.mark.parametrize("kind", ["mask", "weights"])
@pytest.mark.parametrize("file", TERMS, ids=lambda file: file.stem)
def test_non_finite_entries_that_are_left_out_count_as_0(file, kind, weights_folder):
    term = shipped(file, weights_folder)
    made = selecting(term, fake_quantities(term, torch.float32), kind)
    if made is None:
        return  # one value for the whole batch: nothing to select
    term, quantities = made
    expected, gradients = value_and_gradients(
        term, fill_unselected(term, quantities, torch.zeros(1))
    )
    value, found = value_and_gradients(term, fill_unselected(term, quantities, NON_FINITE))
    assert value.isfinite()
    assert torch.equal(value, expected)
    assert found.keys() == gradients.keys()
    for name, gradient in found.items():
        assert gradient.isfinite().all(), name
        if name not in term.arguments.values():
            assert torch.equal(gradient, gradients[name])  # a parameter of the term
            continue
        spoilt = ~fill_unselected(term, quantities, NON_FINITE)[name].isfinite()
        assert not gradient[spoilt].any(), name
        assert torch.equal(gradient[~spoilt], gradients[name][~spoilt]), name


@pytest.mark.usefixtures("random_networks")
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_learns_nothing_from_observations_that_it_leaves_out(name):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        recipe = instantiate(compose(overrides=[f"+loss={name}"]).loss, _convert_="all")
    sizes = {**SIZES, "height": 16, "width": 17}
    sizes["rays"] = sizes["patches"] * sizes["height"] * sizes["width"]
    quantities = {need: fake(need, sizes=sizes) for need in recipe.all_needs()}
    for term in recipe.terms.values():
        if term.where not in quantities:
            continue
        for target in set(term.arguments.values()) & {"target_depth", "target_normal"}:
            left_out = ~(quantities[term.where] > 0)
            quantities[target][left_out] = math.nan
    predicted = [
        value.requires_grad_()
        for need, value in quantities.items()
        if isinstance(value, Tensor) and value.is_floating_point() and "target_" not in need
    ]
    total = recipe(quantities, 10**4).total
    total.backward()
    assert total.isfinite()
    assert all(value.grad is None or value.grad.isfinite().all() for value in predicted)


def test_what_is_selected_and_not_finite_is_reported_with_its_quantity():
    quantities = {name: fake(name) for name in ("depth", "target_depth")}
    quantities["known"] = torch.tensor([True, True, False, True, False, False])
    quantities["depth"][2] = math.nan  # left out
    quantities["target_depth"][3] = math.inf
    inputs = {"prediction": "depth", "target": "target_depth"}
    recipe = LossRecipe({"d": {"fn": l1, "where": "known", "inputs": inputs}})
    with pytest.raises(NonFiniteLoss, match="'target_depth' holds 1 of 6 values") as caught:
        recipe(quantities, 0)
    fault = caught.value.fault
    assert (fault.term, fault.quantity) == ("d", "target_depth")


def test_finite_quantities_are_passed_on_as_they_are():
    depth, keep = fake("depth"), torch.zeros(6)
    assert zero_unselected_non_finite(depth, "depth", keep, "target_mask") is depth


def test_an_entry_of_a_ray_counts_as_selected_where_one_of_its_samples_is():
    depth = torch.full((2,), math.nan)
    occupied = torch.tensor([[False, True, False], [False, False, False]])
    replaced = zero_unselected_non_finite(depth, "depth", occupied, "occupied")
    assert replaced.isnan().tolist() == [True, False]
    # Three samples are not three channels.
    normal = torch.full((2, 3), math.nan)
    replaced = zero_unselected_non_finite(normal, "normal", occupied, "occupied")
    assert replaced.isnan().all(1).tolist() == [True, False]


def test_entries_of_another_set_are_all_selected():
    points = torch.full((6, 3), math.nan)
    replaced = zero_unselected_non_finite(points, "target_points", torch.zeros(6), "target_mask")
    assert replaced.isnan().all()


def test_the_pixels_of_a_patch_are_rays():
    patches = torch.full((1, 2, 2, 1), math.nan)
    keep = torch.tensor([1.0, 0.0, 0.0, 1.0])
    replaced = zero_unselected_non_finite(patches, "patch_depth", keep, "target_mask")
    assert replaced.isnan().flatten().tolist() == [True, False, False, True]


def test_a_scalar_where_of_0_leaves_out_everything():
    rgb = torch.full((2, 3), math.nan)
    assert not zero_unselected_non_finite(rgb, "rgb", torch.tensor(0.0), "progress").any()
