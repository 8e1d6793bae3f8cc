"""Every term on surfaces, space, points and grids trains for two steps; so do their recipes."""

import pytest
import torch
from small_runs import TINY_PATCHES, assembled

ON_SDF = [
    *("tangent_curvature", "directional_divergence", "normal_smoothness", "surface_points_sdf"),
    *("surface_points_normal", "visual_hull", "sdf_truncation", "monotone", "symmetry"),
    *("boundary", "minimal_surface", "viscous_eikonal", "screened_heat", "residual"),
    *("grid_tv", "grid_decay", "non_negative", "sum_to", "laplacian_smooth", "fixed"),
    *("chamfer", "directional_distance", "sinkhorn_emd"),
]
ON_DENSITIES = ["density_cauchy", "bounds", "monotone_sequence", "grid_tv", "grid_decay"]


def trained(folder, *overrides, model="neus"):
    """The report of one more step after a run of two, and whether the field moved in it."""
    run = assembled(folder, f"model={model}", *overrides, model=model)
    assert run.train()
    before = [each.detach().clone() for each in run.model.field.parameters()]
    report, quantities = run.trainer._train_step()
    after = run.model.field.parameters()
    moved = any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    return report, quantities, moved


def terms(names):
    return [f"+loss/term@loss.terms.{name}_added={name}" for name in names]


def assert_all_finite(report, names):
    for name in names:
        assert report.values[name].isfinite(), name


def test_terms_on_signed_distances_train(tmp_path):
    report, quantities, moved = trained(tmp_path, "loss=neus_eikonal", *terms(ON_SDF))
    assert moved
    assert_all_finite(report, [f"{name}_added" for name in ON_SDF])
    assert len(quantities["target_points"]) > 0
    for name in ("surface_points_sdf", "tangent_curvature", "chamfer", "sinkhorn_emd"):
        assert report.values[f"{name}_added"] > 0


def test_patches_are_compared_between_views(tmp_path):
    larger = ["dataset.size=48", "loss.terms.ncc_added.fn.patch=5"]
    added = "+loss/term@loss.terms.ncc_added=patch_ncc"
    report, quantities, moved = trained(tmp_path, "loss=neus_eikonal", added, *larger)
    assert moved
    assert quantities["surface_hit"].any()
    assert 0 < report.values["ncc_added"] < 1


def test_normals_are_compared_with_the_depth_of_patches(tmp_path):
    added = terms(["normal_consistency"])
    report, _, moved = trained(tmp_path, "loss=neus_eikonal", *added, *TINY_PATCHES)
    assert moved
    assert 0 < report.values["normal_consistency_added"] < 2


@pytest.mark.parametrize("model", ["nerf", "volsdf"])
def test_terms_on_densities_train(tmp_path, model):
    loss = "loss=nerf" if model == "nerf" else "loss=volsdf"
    report, _, moved = trained(tmp_path, loss, *terms(ON_DENSITIES), model=model)
    assert moved
    assert_all_finite(report, [f"{name}_added" for name in ON_DENSITIES])


def test_terms_on_proposals_train(tmp_path):
    added = terms(["interlevel", "conserve"])
    report, quantities, moved = trained(
        tmp_path, "loss=nerf", "sampler=proposal", *added, model="nerf"
    )
    assert moved
    assert quantities["proposal_weights"].requires_grad
    assert_all_finite(report, ["interlevel_added", "conserve_added"])


@pytest.mark.parametrize(
    "recipe", ["neuralangelo", "geo_neus", "steik", "permuto", "unisurf", "hotspot"]
)
def test_a_recipe_for_surfaces_trains(tmp_path, recipe):
    report, _, moved = trained(tmp_path, f"loss={recipe}", "dataset.size=32")
    assert moved
    assert report.total.isfinite()
    assert "rgb" in report.values
