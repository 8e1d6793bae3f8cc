"""``nerfloss compare``: show settings, origin and scores of runs side by side."""

import argparse
from pathlib import Path

from nerfloss.cli.output import add_output, write_tables

SUMMARY = "compare runs side by side: settings, origin and scores"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser("compare", help=SUMMARY, description=SUMMARY.capitalize() + ".")
    command.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="folders of runs or sweeps; the others are compared with the first",
    )
    add_output(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the tables, or write them to the file of ``-o``; as CSV they are one table."""
    from nerfloss.experiments.report.side_by_side import compare_groups, joined_by_key

    whole = options.format == "csv"
    tables = compare_groups(options.folders, metrics=options.metrics, every=whole)
    write_tables([joined_by_key(tables)] if whole else tables, options.format, options.output)
    return 0
