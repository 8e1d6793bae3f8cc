"""Maps of photos_masked, whose term on neighbouring views acts in few steps, on few rays."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from small_runs import assembled

from nerfloss.assembly.loss_maps import batch_constants, conflict_map, map_view, term_maps
from nerfloss.recipe import LossRecipe

STEPS = 1000


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    settings = ["loss=photos_masked", "loss.terms.patches.fn.patch=5", f"trainer.max_steps={STEPS}"]
    run = assembled(tmp_path_factory.mktemp("turns"), *settings)
    run.initialize()
    return run


def given(run, step):
    at = {"step": step, "progress": step / STEPS}
    return at, batch_constants(run.batches.draw(0, run.batches.least_rays).targets)


@pytest.mark.parametrize("step", [100, *range(995, 1001)])
def test_terms_in_turns_are_drawn_and_compared_at_any_step_after_their_start(run, step):
    at, constants = given(run, step)
    view, pair = map_view(run.scene, "train", 0, 4), ("rgb", "patches")
    found = term_maps(run.model, run.recipe, at, view, given=constants)
    if step < STEPS / 4:
        assert "patches" not in {*found, *found.not_drawn}
        return
    assert found["patches"].weight == run.recipe.terms["patches"].weight
    compared = conflict_map(run.model, run.recipe, at, view, pair, given=constants)
    assert compared.weights == (3.0, found["patches"].weight)


def test_a_term_that_takes_a_sample_of_the_rays_is_drawn_at_all_of_them(run):
    at, constants = given(run, STEPS)
    view, term = map_view(run.scene, "train", 0), run.recipe.terms["patches"]

    def map_of(rays):
        each = replace(term, fn=partial(term.fn, rays=rays))
        recipe = LossRecipe({"patches": {"fn": each.fn, "where": each.where}})
        return term_maps(run.model, recipe, at, view, given=constants)["patches"].values

    values = map_of(10**6)
    assert (values[values.isfinite()] > 0).sum() > 100
    torch.testing.assert_close(map_of(50), values, equal_nan=True)
