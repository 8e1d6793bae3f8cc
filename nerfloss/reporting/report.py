"""What ``nerfloss report`` does: one table over the runs of a folder, printed and written down."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nerfloss.reporting.comparison import compare
from nerfloss.reporting.runs import find_runs, never_started
from nerfloss.reporting.table import Table, as_csv, as_markdown

FORMATS: Mapping[str, Callable[[Table], str]] = {"markdown": as_markdown, "csv": as_csv}


def report(folder: Path, *, metrics: Sequence[str] = ()) -> Table:
    """Compare the runs in ``folder``; of a sweep, report.md and report.csv are written there too.

    Raises FileNotFoundError where there are no runs, ValueError for a metric that none has.
    """
    runs = find_runs(folder)
    table = compare(runs, folder, metrics=metrics, absent=never_started(folder, runs))
    if (folder / "multirun.yaml").is_file():
        (folder / "report.md").write_text(as_markdown(table))
        (folder / "report.csv").write_text(as_csv(table))
    return table
