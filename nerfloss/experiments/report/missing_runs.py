"""How many runs of a sweep have no folder: those that ended before they began."""

import math
from pathlib import Path

from nerfloss.experiments.report.run_discovery import Tree
from nerfloss.experiments.report.run_files import RunFiles, group


def never_started(tree: Tree) -> int:
    """How many runs of the sweeps in a folder have no folder.

    Looks into the list of jobs, sweep.json. A sweep without one (of another sweeper) is counted by
    the choices written in multirun.yaml; where only hydra can tell their number (``range()``,
    ``choice()``) it counts as complete.
    """
    absent = 0
    for inside in tree.sweeps:
        sweep, start = tree.root / inside, f"{inside}/" if inside else ""
        begun = {run.removeprefix(start) for run in tree.runs if run.startswith(start)}
        jobs = group(RunFiles(sweep).mapping("sweep.json"), "jobs")
        if jobs:
            absent += len(jobs.keys() - begun)
        else:
            absent += max(_asked(sweep) - len(begun), 0)
    return absent


def _asked(sweep: Path) -> int:
    """The number of runs that a sweep asks for; 0 where that cannot be read off."""
    saved = RunFiles(sweep).mapping("multirun.yaml")
    tasks = group(saved, "hydra", "overrides").get("task") or []
    values = [str(task).partition("=")[2] for task in tasks]
    return 0 if any("(" in value for value in values) else math.prod(map(_choices, values))


def _choices(value: str) -> int:
    """Number of alternatives in ``a,b,c``: commas inside brackets and quotes do not count."""
    depth, quote, count = 0, "", 1
    for letter in value:
        if quote or letter in "'\"":
            quote = "" if letter == quote else quote or letter
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        elif letter == "," and depth == 0:
            count += 1
    return count
