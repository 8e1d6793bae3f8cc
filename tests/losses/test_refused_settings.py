"""Settings that cannot work are refused when the recipe is built, by the full key of each."""

from functools import partial

import pytest

from nerfloss.losses import (
    constraint,
    contrastive,
    depth,
    mask,
    multiview,
    opacity,
    pde,
    photometric,
    points,
    ranking,
    ray_sdf,
    semantic,
    shape_priors,
    smoothness,
    spectral,
    stochastic,
    structural,
    volume,
)
from nerfloss.recipe.parsing import RecipeError, read_terms

S3IM = ("kernel", "stride", "repeats", "patch_height")
REFUSED = [
    (photometric.huber, {"delta": 0.0}, r"huber needs delta > 0, got delta=0\.0"),
    (photometric.charbonnier, {"eps": -1.0}, r"charbonnier needs eps > 0, got eps=-1\.0"),
    (photometric.relative_l2, {"eps": -1.0}, r"relative_l2 needs eps > 0, got eps=-1\.0"),
    (depth.depth_nll, {"sigma": 0.0}, "sigma > 0"),
    (depth.line_of_sight, {"epsilon": -0.1}, "epsilon > 0"),
    (ranking.depth_ranking, {"margin": -1.0}, "margin >= 0"),
    (ranking.depth_listnet, {"temperature": 0.0}, "temperature > 0"),
    (ranking.depth_listmle, {"temperature": -1.0}, "temperature > 0"),
    (mask.mask_bce, {"eps": -0.1}, r"0 < eps < 0\.5"),
    (mask.mask_focal, {"gamma": -1.0}, "gamma >= 0"),
    (mask.mask_focal, {"alpha": 2.0}, r"alpha in \[0, 1\], got alpha=2\.0"),
    (opacity.opacity_entropy, {"eps": 0.5}, r"0 < eps < 0\.5"),
    (opacity.ray_entropy, {"threshold": 0.0}, "threshold > 0"),
    (semantic.focal, {"gamma": -1.0}, "gamma >= 0"),
    (semantic.binary_cross_entropy, {"eps": 0.0}, r"0 < eps < 0\.5"),
    (contrastive.triplet, {"margin": 0.0}, "margin > 0"),
    (structural.dssim, {"window": 10}, "odd window, got window=10"),
    (structural.dssim, {"window": 0}, "integer window >= 1"),
    (structural.dssim, {"sigma": -1.0}, "sigma > 0"),
    (structural.ms_ssim, {"window": 10}, "odd window, got window=10"),
    (structural.ms_ssim, {"scale_weights": []}, r"got scale_weights=\[\]"),
    (structural.ms_ssim, {"scale_weights": [0.5, -0.5]}, "one weight >= 0 per scale"),
    (spectral.fourier, {"dims": []}, r"got dims=\[\]"),
    (spectral.fourier, {"dims": [1, 1]}, "different axes"),
    (spectral.fourier, {"power": 3}, "power=3"),
    (spectral.focal_frequency, {"alpha": -1.0}, "alpha >= 0"),
    *((stochastic.s3im, {name: -4}, f"integer {name} >= 1") for name in S3IM),
    (stochastic.s3im, {"patch_height": 1}, "patch_height >= 2 for an even kernel"),
    (stochastic.s3im, {"seed": 0.5}, "has to be an integer"),
    (smoothness.tangent_curvature, {"step": 0.0}, "step > 0"),
    (smoothness.directional_divergence, {"eps": -1e-5}, "eps > 0"),
    (smoothness.normal_smoothness, {"radius": -0.1}, "radius > 0"),
    (multiview.patch_ncc, {"patch": 10}, "odd patch >= 3"),
    (multiview.patch_ncc, {"patch": 1}, "odd patch >= 3, got patch=1"),
    (multiview.patch_ncc, {"best": 0}, "integer best >= 1"),
    (multiview.visual_hull, {"margin": -0.01}, "margin >= 0"),
    (ray_sdf.sdf_truncation, {"truncation": 0.0}, "truncation > 0"),
    (ray_sdf.sdf_truncation, {"near": -1.0}, "near >= 0"),
    (shape_priors.symmetry, {"plane": [1.0, 0.0, 0.0]}, r"plane=\[a, b, c, d\]"),
    (shape_priors.symmetry, {"plane": [0.0, 0.0, 0.0, 1.0]}, "normal .* that is not 0"),
    (shape_priors.boundary, {"radius": 0.0}, "radius > 0"),
    (shape_priors.boundary, {"points": 0}, "integer points >= 1"),
    (shape_priors.minimal_surface, {"width": 0.0}, "width > 0"),
    (pde.viscous_eikonal, {"viscosity": -1.0}, "viscosity >= 0"),
    (pde.screened_heat, {"absorption": 0.0}, "absorption > 0"),
    (pde.residual, {"equation": "eikonal"}, "needs a function"),
    (volume.density_cauchy, {"scale": 0.0}, "scale > 0"),
    (volume.grid_tv, {"vertices": 0}, "integer vertices >= 1"),
    (constraint.bounds, {"lower": 2.0, "upper": 1.0}, "lower <= upper"),
    (constraint.sum_to, {"total": float("nan")}, "finite total"),
    (constraint.fixed, {"value": float("inf")}, "finite value"),
    (points.directional_distance, {"spread": 0.0}, "spread > 0"),
    (points.directional_distance, {"neighbours": 0}, "integer neighbours >= 1"),
    (points.sinkhorn_emd, {"blur": -0.1}, "blur > 0"),
    (points.sinkhorn_emd, {"steps": 0}, "integer steps >= 1"),
]


@pytest.mark.parametrize(
    ("term", "settings", "reason"), REFUSED, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_setting_that_cannot_work_is_refused_at_composition(term, settings, reason):
    key = rf"loss\.terms\.mine\.fn\.{next(iter(settings))}"
    with pytest.raises(RecipeError, match=f"(?s){key}.*{reason}|{reason}.*{key}"):
        read_terms({"mine": {"fn": partial(term, **settings)}})
