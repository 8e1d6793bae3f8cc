"""Every recipe in conf/loss composes to a LossRecipe, and fits the models it is meant for."""

import math
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from nerfloss.quantities.vocabulary import VOCABULARY
from nerfloss.recipe import LossRecipe, RecipeError
from nerfloss.testing.quantities import SIZES, fake

CONF = Path(__file__).parents[1] / "conf"
pytestmark = pytest.mark.usefixtures("random_networks")
RECIPES = sorted(file.stem for file in (CONF / "loss").glob("*.yaml"))
BALANCERS = sorted(file.stem for file in (CONF / "loss" / "balancer").glob("*.yaml"))

OF_SDF = {name for name, quantity in VOCABULARY.items() if "SDF fields" in quantity.source}
OF_PATCHES = {name for name in VOCABULARY if name.startswith("patch_")}
OF_DENSITY_FIELDS = VOCABULARY.keys() - OF_SDF - OF_PATCHES
OF_SDF_FIELDS = VOCABULARY.keys() - OF_PATCHES
FOR_ANY_FIELD = {
    "nerf",
    "nerf_robust",
    "photos",
    "depth_supervised",
    "s3im",
    "combined",
    "sparse_views",
    "perceptual",
    "adversarial",
}
ON_PATCHES = {"combined", "sparse_views", "perceptual", "adversarial"}


def with_the_batch_of(name, quantities):
    """What a run offers a recipe: pixels from anywhere, or the patches that it is meant for."""
    return quantities | OF_PATCHES if name in ON_PATCHES else quantities


def build(*overrides):
    with initialize_config_dir(str(CONF.resolve()), version_base="1.3"):
        return instantiate(compose(overrides=list(overrides)).loss, _convert_="all")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_composes_and_fits_sdf_fields(name):
    recipe = build(f"+loss={name}")
    assert isinstance(recipe, LossRecipe)
    recipe.check(with_the_batch_of(name, OF_SDF_FIELDS))


@pytest.mark.parametrize("name", sorted(ON_PATCHES))
def test_a_recipe_on_patches_is_refused_by_batches_of_scattered_pixels(name):
    expected = r"needs 'patch_\w+', which only batches of patches provide \(batch=patch\)"
    with pytest.raises(RecipeError, match=expected):
        build(f"+loss={name}").check(OF_SDF_FIELDS)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_cites_the_source_of_its_weights(name):
    assert (CONF / "loss" / f"{name}.yaml").read_text().startswith("# ")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_for_surfaces_is_refused_by_density_fields(name):
    recipe = build(f"+loss={name}")
    offered = with_the_batch_of(name, OF_DENSITY_FIELDS)
    if name in FOR_ANY_FIELD:
        recipe.check(offered)
        return
    expected = r"eikonal: needs '(space_)?gradients', which only SDF fields provide \(model=neus"
    with pytest.raises(RecipeError, match=expected):
        recipe.check(offered)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_a_finite_total_on_what_it_needs(name):
    recipe = build(f"+loss={name}")
    patches = {**SIZES, "height": 16, "width": 17}  # VGG sees nothing in less
    report = recipe({need: fake(need, sizes=patches) for need in recipe.needs(0)}, 0)
    assert report.total.isfinite()
    assert list(report.values) == [n for n, term in recipe.terms.items() if term.weight_at(0)]


@pytest.mark.parametrize("name", BALANCERS)
def test_a_balancer_composes_with_a_recipe(name):
    recipe = build("+loss=neus", f"loss/balancer={name}")
    report = recipe({quantity: fake(quantity) for quantity in recipe.needs(0)}, 0)
    assert report.weights.keys() == {"rgb", "eikonal"}


def test_neus_eikonal_is_l1_and_a_tenth_of_eikonal():
    recipe = build("+loss=neus_eikonal")
    assert {name: term.weight for name, term in recipe.terms.items()} == {"rgb": 1, "eikonal": 0.1}
    rgb, target = torch.full((2, 3), 0.5), torch.zeros(2, 3)
    gradients = torch.tensor([[[3.0, 0, 0], [0, 0, 0]]] * 2)
    occupied = torch.tensor([[True, False]] * 2)
    report = recipe(
        {"rgb": rgb, "target_rgb": target, "gradients": gradients, "occupied": occupied}, 0
    )
    torch.testing.assert_close(report.total, torch.tensor(0.5 + 0.1 * 4))


def test_where_a_source_sums_colours_the_weight_is_three_times_its():
    assert build("+loss=neus").terms["rgb"].weight == 3
    assert build("+loss=neus_mask").terms["rgb"].weight == 3


def test_where_a_source_scales_its_targets_the_weight_is_converted():
    terms = build("+loss=monosdf").terms
    assert terms["depth"].weight == 0.1 * 50**2 / 2
    assert terms["normal"].weight == pytest.approx(3 * 0.05)
    assert terms["depth"].weight_at(1280) == pytest.approx(125 * math.exp(-1), rel=1e-4)


def test_recipes_for_points_use_space_samples_and_no_ray_samples():
    for name in ("steik", "hotspot"):
        needs = build(f"+loss={name}").all_needs()
        assert {"field", "target_points", "space_gradients", "space_sdf"} <= needs
        assert not {"gradients", "sdf", "occupied"} & needs


def test_schedules_over_progress_follow_the_length_of_the_run():
    recipe = build("+loss=steik", "+trainer=default", "trainer.max_steps=1000")
    divergence = recipe.terms["divergence"]
    assert [divergence.weight_at(step) for step in (0, 200, 300, 400)] == pytest.approx(
        [100, 100, 50, 0]
    )
    eikonal = build("+loss=hotspot", "+trainer=default", "trainer.max_steps=10").terms["eikonal"]
    assert [eikonal.weight_at(step) for step in (0, 2, 10)] == pytest.approx([1, 1, 10])


def test_terms_of_weight_0_need_nothing_until_they_get_a_weight():
    assert "laplacian" not in build("+loss=neus_full").all_needs()
    recipe = build("+loss=neus_full", "loss.terms.curvature.weight=1e-4")
    assert "laplacian" in recipe.all_needs()
    assert "laplacian" not in recipe.needs(0)


def test_a_user_swaps_adds_and_drops_terms_on_the_command_line():
    swapped = build("+loss=neus", "loss/term@loss.terms.rgb=rgb_charbonnier")
    assert swapped.terms["rgb"].fn.keywords == {"eps": 1e-3}
    added = build("+loss=neus", "+loss/term@loss.terms.curvature=curvature")
    assert list(added.terms) == ["rgb", "eikonal", "curvature"]
    assert list(build("+loss=neus", "~loss.terms.eikonal").terms) == ["rgb"]
    mine = "{weight: 0.3, fn: {_target_: nerfloss.losses.curvature.curvature, _partial_: true}}"
    assert build("+loss=neus", f"+loss.terms.mine={mine}").terms["mine"].weight == 0.3


def test_a_weight_for_a_term_that_the_recipe_lacks_is_named():
    with pytest.raises(Exception, match="curvature: sets 'weight' but has no 'fn'"):
        build("+loss=neus", "+loss.terms.curvature.weight=0.1")


def test_terms_keep_the_order_of_the_yaml():
    names = ["rgb", "rgb_l1", "eikonal", "mask", "opacity_entropy", "sparsity", "curvature"]
    assert list(build("+loss=neus_full").terms) == [*names, "distortion"]
