"""Maps of terms: against the recipe, naive loops and finite differences, for every term."""

import functools
from collections import defaultdict

import pytest
import torch
from fitting_runs import PLAIN, TERMS, models_for, settings_for

from nerfloss.assembly.loss_maps import batch_constants, map_view, term_maps, without_targets
from nerfloss.assembly.loss_maps.pixel_layout import PixelLayout
from nerfloss.assembly.loss_maps.term_inputs import TermInputs
from nerfloss.recipe import LossRecipe

# One run serves all terms that need the same: (model, settings) -> names.
RUNS = defaultdict(list)
for _name, _term in TERMS.items():
    RUNS[max(models_for(_term)), settings_for([_term])].append(_name)
# More rays than a view has: all in one chunk.
ALL = 10**6


@pytest.fixture(scope="module")
def ready(train):
    """A function: a trained run, a recipe of its terms by their plain names, a view, constants."""

    @functools.cache
    def prepared(run):
        model, settings = run
        added = [f"+loss/term@loss.terms.{name}_added={name}" for name in RUNS[run]]
        trained = train(model, f"loss={PLAIN[model]}", *settings, *added)
        terms = {name: trained.recipe.terms[f"{name}_added"] for name in RUNS[run]}
        recipe = LossRecipe({name: vars_of(term) for name, term in terms.items()})
        batch = trained.batches.draw(0, trained.trainer.rays)
        given = batch_constants(batch.targets)
        return trained, recipe, map_view(trained.scene, "train", 1), given

    return prepared


def vars_of(term):
    return {name: getattr(term, name) for name in ("fn", "weight", "where", "inputs")}


def run_of(name):
    return next(run for run in RUNS if name in RUNS[run])


def maps_of(ready, *names, **settings):
    run, recipe, view, given = ready(run_of(names[0]))
    at = vars(run.trainer.schedule)
    return term_maps(run.model, recipe, at, view, names, given=given, **settings)


def quantities_of(run, view, index, needs, given):
    """The quantities of pixels, in this order, as a training step has them; samples regular."""
    rays = view.batch.rays[index]
    targets = {name: value[index] for name, value in view.batch.targets.items()}
    samples = run.model.sampler(run.model.field, rays, None)
    at = {**targets, **given, **vars(run.trainer.schedule)}
    generator = torch.Generator().manual_seed(0)
    return run.model.render(samples, needs, given=at, generator=generator)


@pytest.mark.parametrize("run", list(RUNS), ids=lambda run: "-".join([run[0], *run[1][:1]]))
def test_every_term_is_drawn_as_the_recipe_values_it_or_says_why_not(ready, run):
    trained, recipe, view, given = ready(run)
    at = vars(trained.trainer.schedule)
    found = term_maps(trained.model, recipe, at, view, RUNS[run], given=given, chunk=ALL)
    assert {*found, *found.not_drawn} == set(RUNS[run])
    assert not {*found} & {*found.not_drawn}
    assert all(reason and "\n" not in reason for reason in found.not_drawn.values())
    for name, drawn in found.items():
        term = recipe.terms[name]
        inputs, index = TermInputs(term), torch.arange(view.height * view.width)
        if inputs.on_patches:
            shape = given["patch_shape"]
            if drawn.drawn.startswith("value at the pixel"):
                continue  # its patches overlap: tested by a loop below
            index = PixelLayout.of_patches(view.height, view.width, shape, shape).index.flatten()
        expected = float(term(quantities_of(trained, view, index, term.needs, given)).detach())
        assert drawn.mean == pytest.approx(expected, rel=1e-5, abs=1e-7), name
        assert drawn.values.shape == (view.height, view.width)
        assert not drawn.values.isnan().all(), name


def test_what_has_no_map_is_named(ready):
    reasons = {}
    for run in RUNS:
        trained, recipe, view, given = ready(run)
        at = vars(trained.trainer.schedule)
        reasons |= term_maps(trained.model, recipe, at, view, RUNS[run], given=given).not_drawn
    assert reasons["chamfer"] == (
        "it is on the points where rays hit the surface, as a set, not on rays"
    )
    assert reasons["adversarial"] == reasons["s3im"] == "one value for all rays together"
    assert reasons["eikonal_space"] == "it is on random points of space, not on rays"
    assert reasons["camera_prior"] == "it is on whole training views, not on rays"
    assert reasons["grid_decay"] == "it is on the field itself, not on rays"


def test_chunks_change_nothing(ready):
    names = ("rgb_l1", "eikonal", "distortion", "scale_shift_depth")
    few, many = maps_of(ready, *names, chunk=7), maps_of(ready, *names, chunk=ALL)
    for name in names:
        torch.testing.assert_close(few[name].values, many[name].values, equal_nan=True)


@pytest.mark.parametrize("name", ["dssim", "image_gradient", "depth_tv", "depth_smoothness"])
def test_a_window_of_a_patch_is_drawn_at_its_middle(ready, name):
    run, recipe, view, given = ready(run_of(name))
    height, width = given["patch_shape"]
    term, drawn = recipe.terms[name], maps_of(ready, name)[name]
    values = torch.full((view.height, view.width), torch.nan)
    for top in range(view.height - height + 1):
        for left in range(view.width - width + 1):
            rows, columns = torch.arange(top, top + height), torch.arange(left, left + width)
            index = (rows[:, None] * view.width + columns).flatten()
            quantities = quantities_of(run, view, index, term.needs, given)
            found = term.unreduced(quantities)[0]
            found = found.mean(-1) if found.ndim == 3 else found
            up, across = (height - found.shape[0]) // 2, (width - found.shape[1]) // 2
            at = (
                slice(top + up, top + up + found.shape[0]),
                slice(left + across, left + across + found.shape[1]),
            )
            values[at] = found.detach()
    shown = ~drawn.values.isnan()
    assert shown.sum() >= 8 * 8
    torch.testing.assert_close(drawn.values[shown], values[shown], rtol=1e-4, atol=1e-6)


def test_samples_are_composited_along_the_ray(ready):
    run, _, view, given = ready(run_of("eikonal"))
    needs = {"gradients", "weights", "occupied"}
    quantities = quantities_of(run, view, torch.arange(len(view.batch.rays)), needs, given)
    drawn = maps_of(ready, "eikonal")["eikonal"].values.flatten()
    hit = 0
    for ray in range(len(drawn)):
        occupied = quantities["occupied"][ray]
        if not occupied.any():
            assert drawn[ray].isnan()
            continue
        total = sum(
            weight * (gradient.norm() - 1) ** 2
            for weight, gradient, inside in zip(
                quantities["weights"][ray], quantities["gradients"][ray], occupied, strict=True
            )
            if inside
        )
        assert float(drawn[ray]) == pytest.approx(float(total.detach()), rel=1e-3, abs=1e-6)
        hit += 1
    assert 0 < hit < len(drawn)


def test_a_term_says_nothing_where_its_selection_is_zero(ready):
    view = ready(run_of("depth_l1"))[2]
    known = view.as_image(view.batch.targets["target_depth"] > 0)
    drawn = maps_of(ready, "depth_l1", "rgb_l1")
    assert 0 < known.sum() < known.numel()
    assert torch.equal(~drawn["depth_l1"].values.isnan(), known)
    assert not drawn["rgb_l1"].values.isnan().any()


def mean_on_patches(term, index, target, shape, image):
    """A term's mean on patches of an image, by hand."""
    patches = {
        "patch_rgb": image[index].reshape(-1, *shape, 3),
        "patch_target_rgb": target.reshape(-1, *shape, 3),
    }
    fed = [patches[quantity] for quantity in term.arguments.values()]
    return float(term.fn(*fed).double().mean())


def test_the_gradient_is_that_of_the_colour_by_finite_differences(ready):
    names = ("dssim", "image_gradient", "rgb_fourier", "perceptual")
    run, recipe, view, given = ready(run_of("dssim"))
    height, width = given["patch_shape"]
    drawn = maps_of(ready, *names, gradients=True)
    for name in names:
        term = recipe.terms[name]
        step = (height, width)
        if drawn[name].drawn.startswith("value at the pixel"):
            step = {"dssim": (height - 10, width - 10), "image_gradient": (height - 1, width - 1)}[
                name
            ]
        layout = PixelLayout.of_patches(view.height, view.width, (height, width), step)
        index = layout.index.flatten()
        quantities = quantities_of(run, view, index, {"rgb", "target_rgb"}, given)
        # The weights of the network are float32; the small differences of the others are not.
        precision = torch.float32 if name == "perceptual" else torch.float64
        image = torch.zeros(view.height * view.width, 3, dtype=precision)
        image[index] = quantities["rgb"].detach().to(precision)

        target = quantities["target_rgb"].to(precision)
        mean = functools.partial(mean_on_patches, term, index, target, (height, width))
        pixel = int(index[len(index) // 3])
        # A wide difference would cross kinks, e.g. where an amplitude of rgb_fourier is near 0.
        epsilon = {torch.float32: 2e-3, torch.float64: 1e-6}[precision]
        slopes = []
        for channel in range(3):
            up, down = image.clone(), image.clone()
            up[pixel, channel] += epsilon
            down[pixel, channel] -= epsilon
            slopes.append((mean(up) - mean(down)) / (2 * epsilon))
        expected = len(image) * torch.tensor(slopes).norm()
        gradient = drawn[name].gradient
        assert gradient is not None
        found = gradient.flatten()[pixel]
        close = {torch.float32: 0.01, torch.float64: 1e-4}[precision]
        assert float(found) == pytest.approx(float(expected), rel=close), name


def test_the_gradient_of_a_squared_error_is_in_closed_form(ready):
    run, _, view, given = ready(run_of("rgb_l2"))
    drawn = maps_of(ready, "rgb_l2", "mask_bce", gradients=True)
    index = torch.arange(len(view.batch.rays))
    quantities = quantities_of(run, view, index, {"rgb"}, given)
    expected = 2 / 3 * (quantities["rgb"] - view.batch.targets["target_rgb"]).norm(dim=-1)
    found = drawn["rgb_l2"].gradient
    torch.testing.assert_close(found, view.as_image(expected).detach(), rtol=1e-4, atol=1e-6)
    assert drawn["mask_bce"].gradient is None, "it does not depend on the colour"
    assert maps_of(ready, "rgb_l2")["rgb_l2"].gradient is None, "it was not asked for"


def test_a_camera_without_a_photograph_has_the_maps_that_need_none(ready):
    run, recipe, view, given = ready(run_of("eikonal"))
    at, camera = vars(run.trainer.schedule), without_targets(view)
    found = term_maps(run.model, recipe, at, camera, ["eikonal", "rgb_l1"], given=given)
    assert list(found) == ["eikonal"]
    assert found.not_drawn == {"rgb_l1": "it needs 'target_rgb', which this view does not have"}


def test_maps_leave_model_and_recipe_as_they_are(ready):
    for name in ("spatial_bce", "info_nce", "feature_matching"):
        run, recipe, _, _ = ready(run_of(name))
        term = recipe.terms[name].fn
        term.after_step(0)
        before = {key: value.clone() for key, value in tensors(recipe)}
        maps_of(ready, name, gradients=True)
        term.after_step(0)  # trains on what forward was shown, had it been shown anything
        after = dict(tensors(recipe))
        assert all(torch.equal(after[key], value) for key, value in before.items()), name
        groups = run.model.parameter_groups().values()
        for weight in (weight for group in groups for weight in group):
            assert weight.grad is None or not weight.grad.any()


def tensors(recipe):
    return [(k, v) for k, v in recipe.state_dict().items() if isinstance(v, torch.Tensor)]


def test_of_each_square_of_pixels_the_middle_one_is_kept(ready):
    run, _, view, _ = ready(run_of("rgb_l1"))
    small = map_view(run.scene, "train", 1, 5)
    assert (small.height, small.width) == (view.height // 5, view.width // 5)
    rays = view.as_image(view.batch.rays.directions)[2::5, 2::5][: small.height, : small.width]
    assert torch.equal(small.as_image(small.batch.rays.directions), rays)
    for wrong in (0, 100):
        with pytest.raises(ValueError, match=f"a downscale of {wrong} does not fit"):
            map_view(run.scene, "train", 1, wrong)


def test_an_unknown_term_is_an_error_with_the_known_ones(ready):
    run, recipe, view, _ = ready(run_of("rgb_l1"))
    at = vars(run.trainer.schedule)
    with pytest.raises(ValueError, match=r"'rgb' is no term of this recipe: choose from .*rgb_l1"):
        term_maps(run.model, recipe, at, view, ["rgb"])


def test_a_view_smaller_than_a_patch_is_named(ready):
    run, recipe, _, given = ready(run_of("dssim"))
    small = map_view(run.scene, "train", 1, 2)
    found = term_maps(run.model, recipe, vars(run.trainer.schedule), small, ["dssim"], given=given)
    assert "do not fit into a view of 12 x 12" in found.not_drawn["dssim"]


def test_a_term_of_a_user_on_a_quantity_of_a_user_is_drawn(ready):
    run, _, view, given = ready(run_of("rgb_l1"))

    def doubled(target_rgb, opacity):
        return target_rgb.sum(-1) + 0 * opacity

    recipe = LossRecipe({"own": {"fn": doubled, "weight": 0.5}})
    found = term_maps(run.model, recipe, vars(run.trainer.schedule), view, given=given)["own"]
    assert found.weight == 0.5
    torch.testing.assert_close(found.values.flatten(), view.batch.targets["target_rgb"].sum(-1))
