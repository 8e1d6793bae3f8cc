"""``nerfloss compare``: what differs between runs, and whether their scores do."""

import argparse
from pathlib import Path

from nerfloss.cli.output import add_output, put_out

SUMMARY = "compare runs side by side: settings, origin and scores"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser("compare", help=SUMMARY, description=SUMMARY.capitalize() + ".")
    command.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="folders of runs or sweeps; what comes first is what others are compared with",
    )
    add_output(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the tables, or write them where ``-o`` says; as CSV they are one."""
    from nerfloss.experiments.report.side_by_side import compare_groups, joined_by_key

    whole = options.format == "csv"
    tables = compare_groups(options.folders, metrics=options.metrics, every=whole)
    put_out([joined_by_key(tables)] if whole else tables, options.format, options.output)
    return 0
