"""An evaluation by all processes of a run: each judges some views, all look for the surface."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nerfloss.training.distributed.process_group import ProcessGroup


def evaluated(
    team: ProcessGroup, evaluator: Any, subject: Any, views: Iterable[Any], truth: Any, folder: Path
) -> Any:
    """What an evaluator finds; ``views`` are this process's own.

    The first process has the others' views too, scores the mesh, and alone keeps it: the others get
    the scores, and are asked for the field at some of the points while the mesh is made.
    """
    if team.size == 1:
        return evaluator(subject, views, truth, folder)
    if not team.first:
        team.gathered(evaluator.score_views(subject, views, folder))
    asked = {"field": subject.field, "colors": subject.colors}
    asked = {name: function for name, function in asked.items() if function is not None}
    found = None
    with team.helped(asked) as functions:
        if team.first:
            if evaluator.mesh is not None:
                # Every process is to have as many points at a time as one would have.
                larger = replace(evaluator.mesh, chunk=evaluator.mesh.chunk * team.size)
                evaluator = replace(evaluator, mesh=larger)
            helped = replace(subject, **functions)
            found = evaluator(helped, views, truth, folder, gather=team.gathered)
    scores = team.same(None if found is None else replace(found, mesh=None))
    return found or scores
