"""Which views are scored: all, unless rendering them takes longer than the training did."""

import pytest
import torch
from small_scenes import small_scene

from nerfloss.assembly.eval_adapter import view_at
from nerfloss.assembly.views_to_score import chosen_views
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.scored_views import scored_views

LARGE = 1600 * 1200


@pytest.mark.parametrize("trained", [0, 10**9])
def test_small_images_are_all_scored(trained):
    found = scored_views([128 * 128] * 200, trained_rays=trained)
    assert found.indices == tuple(range(200))
    assert found.conventions == {}


def test_large_images_are_scored_as_far_as_the_training_took():
    few, more = (scored_views([LARGE] * 49, trained_rays=n) for n in (0, 5_000_000))
    assert len(few.indices) == 3
    assert len(more.indices) == 4 * 5_000_000 // LARGE == 10
    assert scored_views([LARGE] * 49, trained_rays=10**8).indices == tuple(range(49))
    # spread over the whole split, its ends included as far as even spacing allows
    assert few.indices == (8, 24, 40)
    assert few.conventions["scored_views"] == "3 of 49, evenly spaced: 8, 24, 40"
    assert "eval.views=all" in few.message("auto")


def test_a_number_or_all_is_what_was_asked_for():
    assert len(scored_views([LARGE] * 49, 7).indices) == 7
    assert scored_views([LARGE] * 5, 7).indices == (0, 1, 2, 3, 4)
    assert len(scored_views([LARGE] * 49, "all").indices) == 49
    assert scored_views([], "auto").indices == ()
    assert "eval.views=all" not in scored_views([LARGE] * 49, 7).message(7)


@pytest.mark.parametrize("asked", [0, -1, "some"])
def test_other_values_are_refused(asked):
    with pytest.raises(ValueError, match=r"eval\.views"):
        Evaluator(views=asked)


def test_a_protocol_takes_all_views():
    scene = small_scene("sphere", views=4, test_views=3, size=16)
    assert len(chosen_views(scene, Evaluator(views=1), 0).indices) == 1
    assert len(chosen_views(scene, Evaluator(views=1, protocol="blender"), 0).indices) == 3
    assert len(chosen_views(scene, Evaluator(views=2, split="train"), 0).indices) == 2


def test_a_thinned_view_has_every_nth_pixel_of_the_image():
    scene = small_scene("sphere", views=2, test_views=1, size=16).resolve_background({"sdf"})
    view = view_at(scene, "test", 0)
    assert view.thinned(16 * 16) is view
    thin = view.thinned(40)
    assert (thin.height, thin.width, thin.image_size) == (6, 6, (16, 16))
    whole = view.as_image(view.batch.targets["target_rgb"])
    assert torch.equal(thin.as_image(thin.batch.targets["target_rgb"]), whole[::3, ::3])
    origins = view.as_image(view.batch.rays.directions)
    assert torch.equal(thin.as_image(thin.batch.rays.directions), origins[::3, ::3])
