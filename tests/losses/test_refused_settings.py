"""Settings that cannot work are refused when the recipe is built, by the full key of each."""

from functools import partial

import pytest

from nerfloss.losses import (
    constraint,
    multiview,
    pde,
    points,
    ray_sdf,
    shape_priors,
    smoothness,
    volume,
)
from nerfloss.recipe.parsing import RecipeError, read_terms

REFUSED = [
    (smoothness.tangent_curvature, {"step": 0.0}, "step > 0"),
    (smoothness.directional_divergence, {"eps": -1e-5}, "eps > 0"),
    (smoothness.normal_smoothness, {"radius": -0.1}, "radius > 0"),
    (multiview.patch_ncc, {"patch": 10}, "odd patch"),
    (multiview.patch_ncc, {"patch": 1}, "odd patch of 3 pixels or more"),
    (multiview.patch_ncc, {"best": 0}, "whole number from 1 for best"),
    (multiview.visual_hull, {"margin": -0.01}, "margin >= 0"),
    (ray_sdf.sdf_truncation, {"truncation": 0.0}, "truncation > 0"),
    (ray_sdf.sdf_truncation, {"near": -1.0}, "near >= 0"),
    (shape_priors.symmetry, {"plane": [1.0, 0.0, 0.0]}, r"plane=\[a, b, c, d\]"),
    (shape_priors.symmetry, {"plane": [0.0, 0.0, 0.0, 1.0]}, "normal .* that is not 0"),
    (shape_priors.boundary, {"radius": 0.0}, "radius > 0"),
    (shape_priors.boundary, {"points": 0}, "whole number from 1 for points"),
    (shape_priors.minimal_surface, {"width": 0.0}, "width > 0"),
    (pde.viscous_eikonal, {"viscosity": -1.0}, "viscosity >= 0"),
    (pde.screened_heat, {"absorption": 0.0}, "absorption > 0"),
    (pde.residual, {"equation": "eikonal"}, "needs a function of"),
    (volume.density_cauchy, {"scale": 0.0}, "scale > 0"),
    (volume.grid_tv, {"vertices": 0}, "whole number from 1 for vertices"),
    (constraint.bounds, {"lower": 2.0, "upper": 1.0}, "lower <= upper"),
    (constraint.sum_to, {"total": float("nan")}, "finite total"),
    (constraint.fixed, {"value": float("inf")}, "finite value"),
    (points.directional_distance, {"spread": 0.0}, "spread > 0"),
    (points.directional_distance, {"neighbours": 0}, "whole number from 1 for neighbours"),
    (points.sinkhorn_emd, {"blur": -0.1}, "blur > 0"),
    (points.sinkhorn_emd, {"steps": 0}, "whole number from 1 for steps"),
]


@pytest.mark.parametrize(
    ("term", "settings", "reason"), REFUSED, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_setting_that_cannot_work_is_refused_at_composition(term, settings, reason):
    with pytest.raises(RecipeError, match=f"(?s){reason}.*loss.terms.mine.fn"):
        read_terms({"mine": {"fn": partial(term, **settings)}})
