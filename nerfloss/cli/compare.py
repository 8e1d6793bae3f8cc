"""``nerfloss compare``: what differs between runs, and whether their scores do."""

import argparse
from pathlib import Path

from nerfloss.cli.output import add_output, put_out


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb and its options."""
    summary = "what differs between any runs: settings, origin and scores, side by side"
    verb = verbs.add_parser("compare", help=summary, description=summary.capitalize() + ".")
    verb.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="folders of runs or sweeps; what comes first is what others are compared with",
    )
    add_output(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Print the tables, or write them where ``-o`` says; as CSV they are one."""
    from nerfloss.experiments.report.side_by_side import as_one, compared

    whole = options.format == "csv"
    tables = compared(options.folders, metrics=options.metrics, every=whole)
    put_out([as_one(tables)] if whole else tables, options.format, options.output)
    return 0
