"""Runs in a notebook: scores, renders beside photographs, meshes and training curves as HTML."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from nerfloss.experiments.report.page.page import (
    page_of,
    rendered,
    require_page_packages,
    summary_of,
)
from nerfloss.experiments.report.page.renders import renders
from nerfloss.experiments.report.page.scores import scores
from nerfloss.experiments.report.page.study import study_of
from nerfloss.experiments.report.page.surfaces import shape
from nerfloss.experiments.report.page.training_curves import training_curves
from nerfloss.experiments.report.run_folders import find_run_folders
from nerfloss.experiments.report.runs import read_runs

PARTS = (scores, renders, shape, training_curves)
HEIGHT = 640  # pixels


@dataclass(frozen=True)
class ShownRuns:
    """A self-contained page of some runs, which a notebook displays ``height`` pixels high."""

    html: str
    summary: str
    height: int = HEIGHT

    def __repr__(self) -> str:
        return self.summary

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own: its scripts and styles meet nothing else."""
        style = f"width:100%;height:{self.height}px;border:1px solid #8884;border-radius:6px"
        page = escape(self.html, quote=True)
        return f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{page}"></iframe>'

    def save(self, path: Path | str) -> Path:
        """Write the page as an HTML file."""
        target = Path(path)
        target.write_text(self.html, encoding="utf-8")
        return target


def show(runs: Path | str | Sequence[Path | str], *, height: int = HEIGHT) -> ShownRuns:
    """Return a page of runs, for a notebook: of one run, of all runs in a folder, or of several.

    It has the scores, the test views beside their photographs with a slider, the meshes, and the
    training curves, as the page of ``nerfloss report``; several runs are compared. Nothing is
    written. Raises FileNotFoundError where there is no run, ValueError without the extra
    ``report`` and for a height that is no number of pixels.
    """
    if not isinstance(height, int) or height < 1:
        raise ValueError(f"height={height!r} must be a number of pixels, such as {HEIGHT}")
    given = [runs] if isinstance(runs, str | Path) else list(runs)
    if not given:
        raise ValueError("there is no run to show: give a run's folder, or several")
    require_page_packages()
    folders = [Path(each).expanduser().resolve() for each in given]
    found = [run for folder in folders for run in read_runs(find_run_folders(folder))]
    root = Path(os.path.commonpath(folders))
    study = study_of(list({run.folder: run for run in found}.values()), root)
    return ShownRuns(rendered(page_of(study, PARTS)), summary_of(study), height)
