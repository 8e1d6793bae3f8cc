"""Scores of a reconstructed surface against the true one."""

from collections.abc import Mapping
from typing import Any

from nerfloss.evaluation.errors import reason_for
from nerfloss.evaluation.inputs import GroundTruth
from nerfloss.evaluation.mesh_extraction import ExtractedMesh
from nerfloss.evaluation.metrics.metadata import Metric, metadata_of, settings_used
from nerfloss.evaluation.scores import Score
from nerfloss.evaluation.surface_samples import Surface, SurfacePair
from nerfloss.quantities.signature import inputs_of

LESS_MEMORY = "lower eval.mesh.resolution or eval.points"


def true_surface(
    ground_truth: GroundTruth, points: int, seed: int
) -> tuple[Surface | None, str | None]:
    """Return the true surface with ``points`` samples, or None and the reason."""
    try:
        mesh = ground_truth.mesh_in_scene_units()
    except Exception as error:
        return None, reason_for(error, "the ground-truth mesh", LESS_MEMORY)
    if mesh is None:
        return None, "no true surface is known: give its mesh as dataset.mesh=<file>"
    return Surface(mesh, points, seed), None


def score_surface(
    metrics: Mapping[str, Metric],
    pair: SurfacePair | None,
    *,
    reason: str | None,
    conventions: Mapping[str, Any],
) -> dict[str, Score]:
    """Return each geometry metric's score on a pair of meshes.

    Without a pair no metric has a value and all have the ``reason``; a metric that fails has the
    error's message as its reason.
    """
    scores = {}
    for name, metric in metrics.items():
        value, why = None, reason
        if pair is not None:
            try:
                value = float(metric(*(pair[key] for key in inputs_of(metric))))
                if (why := metadata_of(metric).fault_of(value)) is not None:
                    value = None
            except Exception as error:
                why = reason_for(error, name, "lower eval.points or eval.mesh.resolution")
        scores[name] = Score(value, _conventions(metric, pair, conventions), why)
    return scores


def _conventions(
    metric: Metric, pair: SurfacePair | None, shared: Mapping[str, Any]
) -> dict[str, Any]:
    inputs = set(inputs_of(metric))
    entries = {**shared, **metadata_of(metric).conventions, **settings_used(metric)}
    if pair is not None and not inputs <= {"mesh", "target_mesh"}:
        sampled = pair.prediction
        exact = inputs <= {"target_to_surface"}
        points = min(sampled.points, pair.exact_points) if exact else sampled.points
        entries.update(points=points, seed=sampled.seed)
    return entries


def dropped_part_scores(extracted: ExtractedMesh) -> dict[str, Score]:
    """Return what was dropped from the mesh, as scores without a better direction."""
    found = extracted.components
    area = "fraction of the extracted area"
    return {
        "mesh_parts": Score(float(found.parts), {"units": "connected parts", "better": None}),
        "mesh_parts_dropped": Score(
            float(found.dropped), {"units": "connected parts", "better": None}
        ),
        "mesh_area_dropped": Score(found.dropped_area, {"units": area, "better": None}),
    }
