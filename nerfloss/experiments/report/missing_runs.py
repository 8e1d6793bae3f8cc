"""Runs of a sweep that were requested and have no folder."""

import math
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser

from nerfloss.experiments.report.run_files import RunFiles, group
from nerfloss.experiments.report.run_folders import RunFolders


def count_missing_runs(found: RunFolders) -> int:
    """Return the number of runs that the sweeps in a folder requested and never started.

    sweep.json lists the jobs of our sweepers. For other sweepers the choices in multirun.yaml are
    counted; a sweep whose number of runs depends on the sweeper (``range()``) counts as complete.
    """
    missing = 0
    for inside in found.sweeps:
        sweep, start = found.root / inside, f"{inside}/" if inside else ""
        begun = {run.removeprefix(start) for run in found.runs if run.startswith(start)}
        jobs = group(RunFiles(sweep).mapping("sweep.json"), "jobs")
        if jobs:
            missing += len(jobs.keys() - begun)
        else:
            missing += max(_requested(sweep) - len(begun), 0)
    return missing


def _requested(sweep: Path) -> int:
    """Return the number of combinations of the comma-separated choices in multirun.yaml."""
    saved = RunFiles(sweep).mapping("multirun.yaml")
    tasks = [str(task) for task in group(saved, "hydra", "overrides").get("task") or []]
    typed = OverridesParser.create().parse_overrides(tasks)
    choices = [override for override in typed if override.is_sweep_override()]
    if any(not each.is_choice_sweep() for each in choices):
        return 0
    return math.prod(len(list(each.sweep_iterator())) for each in choices)
