"""Conflicts of two terms on a view: against gradients of the recipe's own terms, block by block."""

import pytest
import torch
from small_runs import assembled

from nerfloss.assembly.loss_maps import batch_constants, conflict_map, map_view

TERMS = ("rgb", "eikonal")
DSSIM = "+loss/term@loss.terms.dssim=dssim"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    again = "+loss/term@loss.terms.again=rgb_l1"
    space = "+loss/term@loss.terms.space=eikonal_space"
    off = ["+loss/term@loss.terms.off=curvature", "loss.terms.off.weight=0"]
    run = assembled(tmp_path_factory.mktemp("conflict"), "loss=neus_eikonal", again, space, *off)
    run.initialize()
    return run


def conflict(run, names, **settings):
    view = map_view(run.scene, "train", 0)
    at = vars(run.trainer.schedule)
    given = batch_constants(run.batches.draw(0, run.batches.least_rays).targets)
    return conflict_map(run.model, run.recipe, at, view, names, given=given, **settings)


def test_the_gradients_compared_are_those_of_the_recipe_on_the_rays_of_a_block(run):
    found, view = conflict(run, TERMS, block=6), map_view(run.scene, "train", 0)
    groups = run.model.parameter_groups().values()
    parameters = [weight for group in groups for weight in group if weight.requires_grad]
    cosines = []
    for top in range(0, 24, 6):
        for left in range(0, 24, 6):
            rows = torch.arange(top, top + 6)[:, None] * 24 + torch.arange(left, left + 6)
            index = rows.flatten()
            slopes = [
                torch.cat([slope.flatten() for slope in gradient])
                for gradient in (gradient_of(run, view, index, name, parameters) for name in TERMS)
            ]
            lengths = [slope.norm() for slope in slopes]
            block = (slice(top, top + 6), slice(left, left + 6))
            for length, image in zip(lengths, found.lengths, strict=True):
                torch.testing.assert_close(image[block], length.expand(6, 6), rtol=1e-3, atol=1e-7)
            if min(lengths) == 0:
                assert found.cosine[block].isnan().all()
                continue
            cosine = slopes[0] @ slopes[1] / lengths[0] / lengths[1]
            torch.testing.assert_close(found.cosine[block], cosine.expand(6, 6), rtol=0, atol=1e-4)
            expected = (-cosine).clamp_min(0) * min(lengths)
            torch.testing.assert_close(
                found.conflict[block], expected.expand(6, 6), rtol=1e-3, atol=1e-6
            )
            cosines.append(float(cosine))
    assert min(cosines) < 0
    assert max(cosines) > min(cosines) + 0.1


def gradient_of(run, view, index, name, parameters):
    rays, term = view.batch.rays[index], run.recipe.terms[name]
    targets = {key: value[index] for key, value in view.batch.targets.items()}
    given = {**targets, **vars(run.trainer.schedule)}
    value = term.weight * term(run.model(rays, term.needs, given=given))
    found = torch.autograd.grad(value, parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for g, p in zip(found, parameters, strict=True)]


def test_a_term_agrees_with_itself(run):
    found = conflict(run, ("rgb", "again"), block=8)
    known = ~found.cosine.isnan()
    assert known.any()
    torch.testing.assert_close(found.cosine[known], torch.ones(int(known.sum())), atol=1e-4, rtol=0)
    assert found.conflict.nan_to_num().max() == 0


def test_terms_on_patches_are_compared_patch_by_patch(tmp_path):
    patches = ["batch=patch", "batch.height=12", "batch.width=12"]
    sizes = ["trainer.batch_size.rays=288", "trainer.batch_size.max_rays=432"]
    run = assembled(tmp_path, "loss=neus_eikonal", DSSIM, *patches, *sizes)
    run.initialize()
    found = conflict(run, ("rgb", "dssim"))
    assert found.block == (12, 12)
    for top in (0, 12):
        for left in (0, 12):
            assert found.cosine[top : top + 12, left : left + 12].unique().numel() == 1


def test_what_cannot_fight_is_an_error(run):
    with pytest.raises(ValueError, match="'off' has weight 0 at step 0"):
        conflict(run, ("rgb", "off"))
    with pytest.raises(ValueError, match="'space' has no map of conflicts: it is on random"):
        conflict(run, ("rgb", "space"))
    with pytest.raises(ValueError, match="'none' is no term of this recipe"):
        conflict(run, ("rgb", "none"))
    with pytest.raises(ValueError, match="at least 1 pixel a side, got 0"):
        conflict(run, TERMS, block=0)
