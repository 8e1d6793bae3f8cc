"""Batches that are too small for a term are refused when a run is composed, by the key of each."""

from functools import partial

import pytest
import torch
from small_runs import TINY_PATCHES, assembled
from torch import Tensor, nn

from nerfloss.losses.depth import depth_smoothness, depth_tv
from nerfloss.losses.depth_normals import normal_consistency
from nerfloss.losses.multiview import patch_ncc
from nerfloss.losses.requirements import Requirements, Size, requires
from nerfloss.losses.stochastic import s3im
from nerfloss.losses.structural import dssim, image_gradient, ms_ssim
from nerfloss.recipe import LossRecipe, RecipeError
from nerfloss.recipe.batch_requirements import fewest_rays, smallest_patch
from nerfloss.testing.quantities import SIZES, fake


class Wide(nn.Module):
    """A term that sees 9 pixels at once. Reference: none, this is for tests."""

    requirements = Requirements(smallest_patch=Size.of(9))

    def forward(self, patch_rgb: Tensor) -> Tensor:
        return patch_rgb


@requires(fewest_rays=lambda lists: 2 * lists)
def paired(rgb: Tensor, *, lists: int = 2) -> Tensor:
    return rgb.reshape(lists, -1)


def recipe_of(**terms):
    return LossRecipe({name: {"fn": fn} for name, fn in terms.items()})


def test_functions_and_modules_declare_their_sizes():
    assert smallest_patch(partial(dssim, window=7)) == 7
    assert smallest_patch(Wide()) == 9
    assert fewest_rays(partial(paired, lists=5)) == 10


def test_a_loss_without_requirements_takes_any_batch():
    assert smallest_patch(s3im) == fewest_rays(dssim) == 1
    recipe_of(rgb=lambda rgb: rgb).check_batch((1, 1), 1)


def test_the_smallest_batch_is_accepted():
    recipe_of(d=partial(dssim, window=7), wide=Wide(), p=paired).check_batch((9, 30), 4)


def test_every_term_that_does_not_fit_is_named_with_the_keys():
    with pytest.raises(RecipeError) as caught:
        recipe_of(d=partial(dssim, window=7), wide=Wide(), p=paired).check_batch((6, 30), 3)
    assert str(caught.value).splitlines()[1:] == [
        "  d: needs patches of at least 7 pixels a side for loss.terms.d.fn.window=7, "
        "got batch.height=6 and batch.width=30: make them larger",
        "  wide: needs patches of at least 9 pixels a side, "
        "got batch.height=6 and batch.width=30: make them larger",
        "  p: needs at least 4 rays for loss.terms.p.fn.lists=2, got trainer.batch_size.rays=3: "
        "raise it",
    ]


def test_images_that_are_too_small_are_named_with_the_key():
    recipe = recipe_of(d=dssim, n=partial(patch_ncc, patch=9))
    recipe.check_images((9, 40))
    with pytest.raises(RecipeError, match=r"n: needs .* 9 pixels .* for loss.terms.n.fn.patch=9"):
        recipe.check_images((40, 8))


def test_without_patches_their_size_is_no_fault():
    recipe_of(d=dssim).check_batch(None, 1)


def test_a_term_of_weight_0_may_be_too_large():
    LossRecipe({"d": {"fn": dssim, "weight": 0.0}}).check_batch((2, 2), 1)


@pytest.mark.parametrize(
    "fn",
    [
        dssim,
        partial(dssim, window=4 + 1),
        partial(ms_ssim, window=3, scale_weights=(0.3, 0.3, 0.4)),
        image_gradient,
        depth_smoothness,
        depth_tv,
        normal_consistency,
    ],
    ids=lambda fn: getattr(getattr(fn, "func", fn), "__name__", ""),
)
def test_on_the_smallest_patch_a_term_has_values_and_on_a_smaller_one_none(fn):
    def values(side):
        sizes = {**SIZES, "height": side, "width": side, "rays": 2 * side * side}
        term = LossRecipe({"t": {"fn": fn}}).terms["t"]
        return term.unreduced({need: fake(need, sizes=sizes) for need in term.needs})

    found = values(smallest_patch(fn))
    assert found.numel() > 0
    assert found.isfinite().all()

    def refused_or_empty(side):
        try:
            return values(side).numel() == 0
        except ValueError as error:
            return "batch.height" in str(error)

    assert refused_or_empty(smallest_patch(fn) - 1)


@pytest.mark.parametrize("settings", [{"repeats": 1}, {"kernel": 3, "repeats": 1}, {"repeats": 3}])
def test_s3im_takes_its_fewest_rays(settings):
    term = partial(s3im, **settings)
    rays = fewest_rays(term)
    assert term(torch.rand(rays, 3), torch.rand(rays, 3)).isfinite()
    if rays > 1:
        with pytest.raises(ValueError, match=r"trainer\.batch_size\.rays"):
            term(torch.rand(rays - 1, 3), torch.rand(rays - 1, 3))


def test_s3im_refuses_an_image_too_low_for_its_window():
    with pytest.raises(
        RecipeError, match=r"patch_height >= 2 for an even kernel.*loss\.terms\.s\.fn\.patch_hei"
    ):
        recipe_of(s=partial(s3im, patch_height=1))


def test_a_run_with_patches_below_the_window_is_refused_before_its_data_is_read(tmp_path):
    overrides = [*TINY_PATCHES, "+loss/term@loss.terms.dssim=dssim", "dataset.scene=sphere"]
    expected = r"dssim: needs patches of at least 13 pixels.*dssim\.fn\.window=13.*batch\.height=12"
    with pytest.raises(RecipeError, match=expected):
        assembled(tmp_path, *overrides, "loss.terms.dssim.fn.window=13")


def test_a_run_with_too_few_rays_is_refused(tmp_path):
    overrides = ["+loss/term@loss.terms.s3im=s3im", "loss.terms.s3im.fn.repeats=1"]
    with pytest.raises(
        RecipeError, match=r"s3im: needs at least 4 rays.*trainer\.batch_size\.rays=3"
    ):
        assembled(tmp_path, *overrides, "trainer.batch_size.rays=3")
