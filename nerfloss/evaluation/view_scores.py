"""Scores of one view: every metric whose quantities are there, and a reason for every other."""

import difflib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.scores import Score
from nerfloss.losses.pretrained.downloads import MissingWeights
from nerfloss.memory import ran_out
from nerfloss.quantities.signature import inputs_of
from nerfloss.quantities.vocabulary import VOCABULARY


def lacking(metric: Callable, available: Collection[str]) -> str | None:
    """Why a metric cannot be computed from what is available; None where it can."""
    for name in inputs_of(metric):
        if name in available:
            continue
        if name in VOCABULARY:
            return f"needs '{name}', {VOCABULARY[name].provision}"
        close = difflib.get_close_matches(name, [*VOCABULARY, *available], n=1)
        hint = f": did you mean '{close[0]}'?" if close else ""
        return f"needs '{name}', which is no quantity{hint}"
    return None


def rendered_needs(
    metrics: Mapping[str, Callable], offers: Collection[str], targets: Collection[str]
) -> frozenset[str]:
    """What must be rendered for those metrics that can be had; nothing for the others."""
    possible = [m for m in metrics.values() if lacking(m, {*offers, *targets}) is None]
    return frozenset(name for m in possible for name in inputs_of(m) if name not in targets)


def score_view(
    metrics: Mapping[str, Callable], quantities: Mapping[str, Any], offers: Collection[str] = ()
) -> dict[str, Score]:
    """Each metric on one view's quantities, laid out as images.

    ``offers`` also names what could have been rendered and was not, since nothing needed it. A
    metric looks at whole images: one for which memory does not suffice has no value, but a reason.
    """
    scores = {}
    for name, metric in metrics.items():
        reason = lacking(metric, {*offers, *quantities})
        value = None
        if reason is None:
            try:
                with torch.no_grad():
                    value = float(metric(*(quantities[key] for key in inputs_of(metric))))
            except (UndefinedMetric, MissingWeights) as undefined:
                reason = str(undefined)
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                reason = f"out of memory: leave it out ('~eval.metrics.{name}'), or device=cpu"
        scores[name] = Score(value, reason=reason)
    return scores
