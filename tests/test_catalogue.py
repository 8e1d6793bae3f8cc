"""The names and parameters of the losses are an interface: what the catalogue says is callable."""

import ast
import importlib
import inspect
import re

import pytest
import torch

from nerfloss.assembly.config_files import conf_dir
from nerfloss.cli.reference.term_files import term_files
from nerfloss.losses.points import directional_distance
from nerfloss.losses.shape_priors import boundary
from nerfloss.losses.smoothness import normal_smoothness, tangent_curvature
from nerfloss.losses.volume import grid_tv
from nerfloss.testing.quantities import fake, fake_field

# File by file, each function with what has to be given by position, and the settings it promises.
CATALOGUE = """
photometric: l2(prediction, target)
photometric: l1(prediction, target)
photometric: huber(prediction, target, *, delta=0.1)
photometric: charbonnier(prediction, target, *, eps=1e-3)
photometric: relative_l2(prediction, target, *, eps=1e-3)
photometric: log_l1(prediction, target)

structural: dssim(patch_rgb, patch_target_rgb, *, window=11, sigma=1.5)
structural: ms_ssim(patch_rgb, patch_target_rgb, *, window=11, sigma=1.5)
structural: image_gradient(patch_rgb, patch_target_rgb)
stochastic: s3im(rgb, target_rgb, *, kernel=4, stride=4, repeats=10, patch_height=64)
spectral: fourier(prediction, target, *, dims=(1, 2), power=1)
spectral: focal_frequency(patch_rgb, patch_target_rgb, *, alpha=1.0)

perceptual: perceptual(patch_rgb, patch_target_rgb, *, backbone, layers, layer_weights)
perceptual: style(patch_rgb, patch_target_rgb, *, backbone, layers, layer_weights)
perceptual: lpips(patch_rgb, patch_target_rgb, *, backbone)
perceptual: feature_matching(patch_rgb, patch_target_rgb)
adversarial: adversarial(patch_rgb, patch_target_rgb, *, mode)
adversarial: discriminator_loss(real_scores, fake_scores, *, mode)
adversarial: generator_loss(fake_scores, *, mode)

mask: mask_bce(opacity, target_mask, *, eps=1e-3)
mask: mask_focal(opacity, target_mask, *, gamma=2.0, alpha=0.25)
mask: mask_hinge(opacity, target_mask)
mask: mask_iou(opacity, target_mask)
mask: mask_dice(opacity, target_mask)
mask: spatial_bce(opacity)
opacity: opacity_entropy(opacity, *, eps=1e-3)
opacity: ray_entropy(weights, opacity)

depth: depth_nll(weights, t_starts, t_ends, target_depth, *, sigma)
depth: line_of_sight(weights, t_starts, t_ends, target_depth)
depth: scale_shift_depth(depth, target_depth, view)
depth: depth_smoothness(patch_depth, patch_target_rgb)
depth: depth_tv(patch_depth)
camera_prior: camera_prior(camera_twists)
camera_prior: focal_prior(camera_log_focal)
camera_prior: lens_prior(camera_radial)
ranking: depth_ranking(depth, target_depth, view, *, margin=1e-4)
ranking: depth_listnet(depth, target_depth, view)
ranking: depth_listmle(depth, target_depth, view)

eikonal: eikonal(gradients)
eikonal: eikonal_l1(gradients)
surface: sparsity(sdf, *, scale=1.0)
curvature: curvature(laplacian)
curvature: surface_curvature(field, hit_points)
smoothness: tangent_curvature(field, positions, *, step)
smoothness: directional_divergence(gradients, hessian_gradients, *, eps=1e-5)
smoothness: normal_smoothness(field, surface_points, *, radius)
observed_points: surface_points_sdf(field, target_points)
observed_points: surface_points_normal(field, target_points, target_point_normals)
surface: normal_cosine(normal, target_normal)
depth_normals: normal_consistency(normals, weights, patch_depth,
    patch_origins, patch_directions)
surface: orientation(normals, weights, directions)
multiview: patch_ncc(field, surface_points, surface_hit, pixel, view, view_images,
    view_projections, view_neighbours, *, best=4)
multiview: visual_hull(space_sdf, space_points, view_masks, view_projections, *, margin)
ray_sdf: sdf_truncation(sdf, t_starts, t_ends, target_depth)
shape_priors: symmetry(field, space_points, *, plane)
shape_priors: boundary(field, *, margin)
ray_sdf: monotone(sdf, t_starts, t_ends)
shape_priors: minimal_surface(space_sdf, space_gradients)

pde: viscous_eikonal(space_sdf, space_gradients, space_laplacian, *, viscosity)
pde: screened_heat(space_sdf, space_gradients, *, absorption)
pde: residual(field, space_points, *, equation)

volume: distortion(weights, t_starts, t_ends)
volume: density_cauchy(densities, *, scale)
volume: interlevel(weights, t_starts, t_ends,
    proposal_weights, proposal_t_starts, proposal_t_ends)
volume: grid_tv(field)
volume: grid_decay(field)

image_appearance: exposure_identity(exposure)
image_appearance: bilateral_grid_tv(bilateral_grids)

constraint: bounds(x, *, lower, upper)
constraint: non_negative(x)
constraint: sum_to(x, *, total=1.0)
constraint: monotone_sequence(x)
constraint: laplacian_smooth(x)
constraint: conserve(x, y)
constraint: fixed(x, *, value)

points: chamfer(surface_points, target_points)
points: learnable_chamfer(surface_points, target_points)
points: directional_distance(surface_points, target_points)
points: sinkhorn_emd(surface_points, target_points)

semantic: cross_entropy(logits, target_label)
semantic: focal(logits, target_label, *, gamma)
semantic: binary_cross_entropy(prediction, target)
contrastive: triplet(features, target_instance, *, margin, mining)
contrastive: info_nce(features, target_instance, *, temperature)
"""
# A row goes on where a line is indented.
ROWS = [row for row in re.sub(r"\n +", " ", CATALOGUE).splitlines() if row]


def promised(row):
    """A row's file and name, its positional parameters, and its settings with their defaults."""
    file, _, call = row.partition(": ")
    function = ast.parse(f"def {call}: ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    given = function.args
    settings = {
        each.arg: inspect.Parameter.empty if default is None else ast.literal_eval(default)
        for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    }
    return file, function.name, [each.arg for each in given.args], settings


def found(file, name):
    return getattr(importlib.import_module(f"nerfloss.losses.{file}"), name)


def settings_of(loss):
    """A function's keyword-only parameters; a module's are those of what makes it."""
    parameters = inspect.signature(loss).parameters.values()
    return {each.name: each for each in parameters if each.kind is each.KEYWORD_ONLY}


@pytest.mark.parametrize("row", ROWS)
def test_a_loss_is_called_as_the_catalogue_says(row):
    file, name, positional, settings = promised(row)
    loss = found(file, name)
    taken = inspect.signature(loss.forward if inspect.isclass(loss) else loss).parameters
    required = [
        each.name
        for each in taken.values()
        if each.kind is each.POSITIONAL_OR_KEYWORD and each.default is each.empty
    ]
    assert [each for each in required if each != "self"] == positional
    own = settings_of(loss)
    assert settings.keys() <= own.keys()
    for setting, parameter in own.items():
        default = settings.get(setting, parameter.default)
        if default is not inspect.Parameter.empty:
            assert parameter.default == default, setting
        assert setting in settings or default is not inspect.Parameter.empty, setting


def test_every_term_of_the_configuration_is_a_loss_of_the_catalogue():
    losses = [found(file, name) for file, name, *_ in map(promised, ROWS)]
    for name, term in term_files(conf_dir()).items():
        assert term.function in losses, name


DRAWN = {
    "tangent_curvature": lambda **drawn: tangent_curvature(
        fake_field, fake("positions"), **drawn, step=0.3
    ),
    "normal_smoothness": lambda **drawn: normal_smoothness(
        fake_field, fake("surface_points"), **drawn, radius=0.1
    ),
    "boundary": lambda **drawn: boundary(uneven, **drawn),
    "grid_tv": lambda **drawn: grid_tv(fake_field, **drawn, vertices=9),
    "directional_distance": lambda **drawn: directional_distance(
        fake("surface_points"), fake("target_points"), **drawn
    ),
}


def uneven(points, needs):  # noqa: ARG001
    return {"sdf": points[:, 0]}


@pytest.mark.parametrize("name", DRAWN)
def test_by_hand_a_loss_that_draws_does_without_a_generator(name):
    values = [DRAWN[name]() for _ in range(2)]
    assert values[0].isfinite().all()
    assert not torch.equal(*values)
    torch.manual_seed(0)
    first = DRAWN[name]()
    torch.manual_seed(0)
    torch.testing.assert_close(DRAWN[name](), first, rtol=0, atol=0)
    torch.manual_seed(0)
    seeded = DRAWN[name](generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(seeded, first, rtol=0, atol=0)


def test_a_recipe_always_supplies_the_generator():
    drawing = [term for term in term_files(conf_dir()).values() if "generator" in term.needs]
    assert {term.function.__name__ for term in drawing} == DRAWN.keys()
