"""Every term in conf/loss/term keeps the contract, without a test of its own."""

from functools import partial
from pathlib import Path

import pytest
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from jaxtyping import Float
from omegaconf import OmegaConf
from random_weights import supply_weights
from torch import Tensor

from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe.parsing import KEYS, RecipeError
from nerfloss.testing.quantities import SIZES, fake
from nerfloss.testing.terms import check_term, fits

FILES = sorted((Path(__file__).parents[1] / "conf" / "loss" / "term").glob("*.yaml"))
# Terms whose gradient is stopped or random on purpose, so that finite differences disagree.
NOT_SMOOTH: set[str] = {
    "info_nce",  # the representation of a new instance is detached
    "directional_distance",  # at random points
    "interlevel",  # the weights are the proposal's to follow
    "normal_smoothness",  # at random points; the surface is not to flee
    "surface_curvature",  # nor is it here
    "sinkhorn_emd",  # exact once its iterations have converged
    "tangent_curvature",  # in random directions; samples lie where they lie
    "focal_frequency",  # its weights of frequencies are detached
    "rgb_relative_l2",  # nor is growing brighter
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_term_keeps_the_contract(file, weights_folder):
    content = OmegaConf.to_container(OmegaConf.load(file))
    supply_weights(content["fn"], weights_folder)
    spec = instantiate(content, _convert_="all")
    smooth = file.stem not in NOT_SMOOTH
    check_term(spec["fn"], where=spec.get("where"), inputs=spec.get("inputs"), smooth=smooth)


def test_a_term_without_its_weight_files_names_the_download(monkeypatch, tmp_path):
    monkeypatch.setattr("nerfloss.losses.pretrained.weight_files.cache_folder", lambda: tmp_path)
    files = [file for file in FILES if "weights" in OmegaConf.load(file).fn]
    assert files
    for file in files:
        with pytest.raises(InstantiationException, match=r"weights .* are missing .*download"):
            instantiate(OmegaConf.load(file))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_term_has_a_weight_and_only_the_five_keys(file):
    spec = OmegaConf.to_container(OmegaConf.load(file))
    assert {"fn", "weight"} <= spec.keys() <= set(KEYS)
    assert file.read_text().startswith(("#", "weight: 1.0")), "say where the weight comes from"


@pytest.mark.parametrize("quantity", VOCABULARY)
def test_a_fake_has_the_shape_that_the_vocabulary_states(quantity):
    value = fake(quantity, dtype=torch.float64)
    if isinstance(value, Tensor):
        shape = [SIZES.get(axis) or int(axis) for axis in VOCABULARY[quantity].shape.split()]
        assert list(value.shape) == shape
        assert VOCABULARY[quantity].kind != "float" or value.dtype == torch.float64


def test_fakes_are_consistent():
    assert (fake("t_ends") > fake("t_starts")).all()
    torch.testing.assert_close(fake("t_ends")[:, :-1], fake("t_starts")[:, 1:])
    assert (fake("weights").sum(-1) < 1).all()
    assert set(fake("target_mask").tolist()) <= {0.0, 1.0}
    torch.testing.assert_close(fake("normals").norm(dim=-1), torch.ones(6, 5))
    assert torch.equal(fake("rgb"), fake("rgb"))
    assert not torch.equal(fake("rgb"), fake("rgb", seed=1))
    assert not torch.equal(fake("rgb"), fake("target_rgb"))


def test_a_variadic_annotation_matches_any_number_of_axes():
    assert fits("*shape 3", "rays samples 3")
    assert fits("... 3", "points 3")
    assert fits("*shape", "")
    assert not fits("*shape 3", "rays samples")
    assert not fits("rays 3", "rays samples 3")
    assert not fits("rays *rest rays", "rays")


def good(rgb: Float[Tensor, "rays 3"]) -> Float[Tensor, "rays 3"]:
    """Reference: here."""
    return rgb.square()


def uncited(rgb: Float[Tensor, "rays 3"]) -> Tensor:
    return rgb.square()


def unknown(rgbb: Float[Tensor, "rays 3"]) -> Tensor:
    """Reference: here."""
    return rgbb


def misshapen(rgb: Float[Tensor, "rays samples 3"]) -> Tensor:
    """Reference: here."""
    return rgb


def unannotated(rgb) -> Tensor:
    """Reference: here."""
    return rgb


def infinite(rgb: Float[Tensor, "rays 3"]) -> Tensor:
    """Reference: here."""
    return rgb.log()


def infinite_slope(rgb: Float[Tensor, "rays 3"]) -> Tensor:
    """Reference: here."""
    return rgb.sqrt()


def stopped(rgb: Float[Tensor, "rays 3"]) -> Tensor:
    """Reference: here."""
    return rgb * rgb.detach()


@pytest.mark.parametrize(
    ("fn", "reason"),
    [
        (uncited, "cites no 'Reference:'"),
        (unknown, "takes 'rgbb', which is not in the vocabulary"),
        (misshapen, "takes 'rgb' as \"rays samples 3\", but 'rgb' is \"rays 3\""),
        (unannotated, "does not say the shape of 'rgb'"),
        (infinite, "its value is -inf where all its quantities are 0"),
        (infinite_slope, "its gradient with respect to 'rgb' is not finite"),
    ],
)
def test_a_term_that_breaks_the_contract_is_refused_with_the_reason(fn, reason):
    with pytest.raises(AssertionError, match=reason):
        check_term(fn)


def test_a_wrong_gradient_is_found_unless_it_is_declared():
    check_term(good)
    check_term(stopped, smooth=False)
    with pytest.raises(Exception, match="Jacobian mismatch"):
        check_term(stopped)


def test_a_term_that_no_recipe_accepts_is_refused():
    with pytest.raises(RecipeError, match="binds 'rgb'"):
        check_term(partial(good, rgb=0))
