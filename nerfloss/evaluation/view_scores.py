"""Scores of one view: a value per metric, or the reason why it has none."""

import difflib
import logging
from collections.abc import Collection, Mapping
from typing import Any

import torch

from nerfloss.evaluation.errors import UndefinedMetric, reason_for
from nerfloss.evaluation.metrics.metadata import Metric, metadata_of
from nerfloss.evaluation.scores import Score
from nerfloss.losses.pretrained.downloads import MissingWeights
from nerfloss.quantities.signature import inputs_of
from nerfloss.quantities.vocabulary import VOCABULARY

log = logging.getLogger(__name__)


def missing_quantity(metric: Metric, available: Collection[str]) -> str | None:
    """Return why a metric cannot be computed from the available quantities; None if it can."""
    for name in inputs_of(metric):
        if name in available:
            continue
        if name in VOCABULARY:
            return f"needs '{name}', {VOCABULARY[name].provision}"
        close = difflib.get_close_matches(name, [*VOCABULARY, *available], n=1)
        hint = f": did you mean '{close[0]}'?" if close else ""
        return f"needs '{name}', which is no quantity{hint}"
    return None


def quantities_to_render(
    metrics: Mapping[str, Metric], offers: Collection[str], targets: Collection[str]
) -> frozenset[str]:
    """Return the quantities that those metrics need which can be computed."""
    available = {*offers, *targets}
    computable = [m for m in metrics.values() if missing_quantity(m, available) is None]
    return frozenset(name for m in computable for name in inputs_of(m) if name not in targets)


def score_view(
    metrics: Mapping[str, Metric], quantities: Mapping[str, Any], offers: Collection[str] = ()
) -> dict[str, Score]:
    """Return each metric's score on one view's quantities, laid out as images.

    ``offers`` includes quantities that were not rendered because no metric needs them. A metric
    takes whole images. One that fails, for want of memory too, has a reason and no value, and costs
    no other metric its score.
    """
    scores = {}
    for name, metric in metrics.items():
        value, reason = None, missing_quantity(metric, {*offers, *quantities})
        if reason is None:
            try:
                with torch.no_grad():
                    value = float(metric(*(quantities[key] for key in inputs_of(metric))))
                if (reason := metadata_of(metric).fault_of(value)) is not None:
                    value = None
            except (UndefinedMetric, MissingWeights) as error:
                reason = str(error)
            except Exception as error:
                remedy = f"leave it out ('~eval.metrics.{name}'), or use device=cpu"
                reason = reason_for(error, f"the metric '{name}'", remedy)
                log.warning("%s", reason)
        scores[name] = Score(value, reason=reason)
    return scores
