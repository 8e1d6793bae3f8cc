"""Evaluation by all processes: the views are divided among them, and so are mesh queries."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nerfloss.training.distributed.process_group import ProcessGroup


def distributed_evaluation(
    group: ProcessGroup,
    evaluator: Any,
    model: Any,
    views: Iterable[Any],
    ground_truth: Any,
    folder: Path,
) -> Any:
    """Return the evaluation; ``views`` are this process's own.

    Rank 0 collects the scores of all views, extracts and scores the mesh, and is the only one that
    keeps the mesh. The other processes evaluate a part of the points that it queries, and receive
    the scores.
    """
    if group.size == 1:
        return evaluator(model, views, ground_truth, folder)
    if not group.is_main:
        group.gather_interleaved(evaluator.score_views(model, views, folder))
    functions = {"field": model.field, "colors": model.colors}
    functions = {name: each for name, each in functions.items() if each is not None}
    result = None
    with group.sharded_query(functions) as sharded:
        if group.is_main:
            if evaluator.mesh is not None:
                # Chunks for all processes: each then evaluates as many points as a single one.
                larger = replace(evaluator.mesh, chunk=evaluator.mesh.chunk * group.size)
                evaluator = replace(evaluator, mesh=larger)
            model = replace(model, **sharded)
            result = evaluator(model, views, ground_truth, folder, gather=group.gather_interleaved)
    scores = group.broadcast(None if result is None else replace(result, mesh=None))
    return result or scores
