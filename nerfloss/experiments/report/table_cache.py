"""Tables about thousands of runs, kept in their index and given again while nothing has changed.

Reading runs is half of the work; intervals and tests over hundreds of arms are the other half.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from hashlib import sha256
from typing import Any

from nerfloss.experiments.report.index import opened
from nerfloss.experiments.report.mtimes import stamp_of_files
from nerfloss.experiments.report.run_discovery import Tree
from nerfloss.experiments.report.runs import Run, runs_of, stamps_in
from nerfloss.experiments.report.table import Table

# What is read of a sweep, beside its runs.
_OF_A_SWEEP = ("multirun.yaml", "sweep.json")


def answered(
    trees: Sequence[Tree], question: Sequence[Any], make: Callable[[list[Run]], list[Table]]
) -> list[Table]:
    """What ``make`` says of the runs in these folders, now or when it was last asked.

    ``question`` is whatever else it depends on. Raises FileNotFoundError for a folder without runs.
    """
    stamps = [stamps_in(tree) for tree in trees]
    with ExitStack() as stack:
        indices = [
            stack.enter_context(opened(tree.root, own))
            for tree, own in zip(trees, stamps, strict=True)
        ]
        name = _name(trees, stamps, question)
        if name is not None and (text := indices[0].answer(name)) is not None:
            return [_table(content) for content in json.loads(text)]
        parts = zip(trees, stamps, indices, strict=True)
        tables = make([run for tree, own, index in parts for run in runs_of(tree.root, own, index)])
        if name is not None:
            indices[0].remember(name, json.dumps([_plain(table) for table in tables]))
    return tables


def _name(
    trees: Sequence[Tree], stamps: Sequence[dict[str, str | None]], question: Sequence[Any]
) -> str | None:
    """A hash of everything that an answer depends on; None where a file changed just now."""
    sweeps = [
        f"{tree.root / at / name}" for tree in trees for at in tree.sweeps for name in _OF_A_SWEEP
    ]
    of_sweeps = stamp_of_files(sweeps)
    if of_sweeps is None or any(None in own.values() for own in stamps):
        return None
    roots = [str(tree.root) for tree in trees]
    said = json.dumps([roots, stamps, sweeps, of_sweeps, list(question)], default=str)
    return sha256(said.encode()).hexdigest()


def _plain(table: Table | None) -> dict[str, Any] | None:
    if table is None:
        return None
    return {**vars(table), "strong": sorted(table.strong), "wide": _plain(table.wide)}


def _table(content: dict[str, Any]) -> Table:
    return Table(
        columns=tuple(content["columns"]),
        rows=tuple(map(tuple, content["rows"])),
        title=content["title"],
        notes=tuple(content["notes"]),
        strong=frozenset(map(tuple, content["strong"])),
        wide=_table(content["wide"]) if content["wide"] else None,
    )
