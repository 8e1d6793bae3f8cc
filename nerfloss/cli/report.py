"""``nerfloss report``: tabulate the runs of a folder, and test differences between them."""

import argparse
import sys
from pathlib import Path

from nerfloss.cli.output import add_output, write_tables

SUMMARY = "tabulate the runs of a folder, e.g. of a sweep, and test their differences"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser("report", help=SUMMARY, description=SUMMARY.capitalize() + ".")
    command.add_argument("folder", type=Path, help="a run's folder, a sweep's, or any above them")
    add_output(command)
    command.add_argument(
        "-b",
        "--baseline",
        metavar="KEY=VALUE",
        help="the setting that others are compared with (default: the simplest, else the first)",
    )
    command.add_argument(
        "--only",
        choices=["runs", "variants", "views"],
        help="one of the tables: every run, means over seeds and significances, or the spread over "
        "the views of each run (csv: runs, if not told)",
    )
    command.add_argument(
        "--with-published",
        metavar="SET",
        help="also put published figures of other methods beside the runs: nerf_synthetic, "
        "mipnerf360, dtu, tanks_and_temples (csv: this table only)",
    )
    command.add_argument(
        "--html",
        action=argparse.BooleanOptionalAction,
        help="write report.html and figures/ into the folder (default: where tables are printed, "
        "of as many runs as a table shows)",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the tables, or write them to the file of ``-o``."""
    from nerfloss.experiments.report.published import published_table
    from nerfloss.experiments.report.report import report, selected
    from nerfloss.experiments.report.runs import find_runs
    from nerfloss.experiments.report.truncate import is_truncated, truncated_tables

    if options.only == "views" and options.with_published:
        raise ValueError(
            "--with-published has no effect on --only views: published figures are means over "
            "views; leave one of them out"
        )
    if options.only == "views":
        return _write_spread(options)
    if options.html:  # before many runs are read
        from nerfloss.experiments.report.page.page import require_page_packages

        require_page_packages()
    every = options.format == "csv"
    found = report(options.folder, metrics=options.metrics, baseline=options.baseline, every=every)
    tables = selected(found, options.only or ("runs" if options.format == "csv" else None))
    if options.with_published:
        compared = published_table(options.with_published, find_runs(options.folder))
        tables = [compared] if options.format == "csv" else [*tables, compared]
    shown = tables if options.format == "csv" else truncated_tables(tables)
    write_tables(shown, options.format, options.output)
    printed = options.format == "table" and not options.output
    if options.html is None and printed and is_truncated(found[0]):
        print("no report.html of so many runs, unless you ask for it: --html", file=sys.stderr)
    elif options.html or (options.html is None and printed):
        _write_page(options)
    return 0


def _write_spread(options: argparse.Namespace) -> int:
    """Print the table of the spread over views, or write it to the file of ``-o``."""
    from nerfloss.experiments.report.runs import find_runs
    from nerfloss.experiments.report.truncate import truncated_tables
    from nerfloss.experiments.report.view_spread import view_spread_table

    runs = find_runs(options.folder)
    tables = [view_spread_table(runs, options.folder, options.metrics)]
    shown = tables if options.format == "csv" else truncated_tables(tables)
    write_tables(shown, options.format, options.output)
    return 0


def _write_page(options: argparse.Namespace) -> None:
    """Write the page and say where, on stderr: a table may be on its way into a pipe."""
    from nerfloss.experiments.report.page.page import write_report

    try:
        path = write_report(options.folder, baseline=options.baseline)
    except (ValueError, OSError) as error:  # matplotlib is missing, the folder is read-only
        if options.html:
            raise
        print(f"no report.html: {error}", file=sys.stderr)
        return
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    print(f"wrote {path} ({size}), its figures in {path.parent}/figures", file=sys.stderr)
