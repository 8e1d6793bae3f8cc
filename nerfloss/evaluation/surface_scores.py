"""Scores of a reconstructed surface against the true one."""

from collections.abc import Callable, Mapping
from typing import Any

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.metrics.metadata import measure_of, settings_used
from nerfloss.evaluation.scores import Score
from nerfloss.evaluation.surface_samples import SurfacePair
from nerfloss.quantities.signature import inputs_of


def _conventions(
    metric: Callable, pair: SurfacePair | None, shared: Mapping[str, Any]
) -> dict[str, Any]:
    measure = measure_of(metric)
    asked = set(inputs_of(metric))
    found = {**shared, "units": measure.units, "better": measure.better, **settings_used(metric)}
    if pair is not None and not asked <= {"mesh", "target_mesh"}:
        ours = pair.prediction
        exact = asked <= {"target_to_surface"}
        points = min(ours.points, pair.exact_points) if exact else ours.points
        found.update(points=points, seed=ours.seed)
    return found


def score_surface(
    metrics: Mapping[str, Callable],
    pair: SurfacePair | None,
    *,
    reason: str | None,
    conventions: Mapping[str, Any],
) -> dict[str, Score]:
    """Each geometry metric on a pair of meshes; without a pair, no value and the reason why."""
    scores = {}
    for name, metric in metrics.items():
        value, why = None, reason
        if pair is not None:
            try:
                value, why = float(metric(*(pair[key] for key in inputs_of(metric)))), None
            except UndefinedMetric as undefined:
                why = str(undefined)
        scores[name] = Score(value, _conventions(metric, pair, conventions), why)
    return scores
