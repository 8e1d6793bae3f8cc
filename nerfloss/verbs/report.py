"""``nerfloss report``: one table over the runs of a folder."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb and its options."""
    summary = "one table over the runs of a folder, e.g. of a sweep"
    verb = verbs.add_parser("report", help=summary, description=summary.capitalize() + ".")
    verb.add_argument("folder", type=Path, help="a run's folder, a sweep's, or any above them")
    verb.add_argument("-f", "--format", choices=["table", "markdown", "csv"], default="table")
    verb.add_argument("-o", "--output", type=Path, help="write there instead of printing")
    verb.add_argument(
        "-m",
        "--metrics",
        type=lambda text: text.split(","),
        default=[],
        help="which, separated by commas (default: the main ones)",
    )
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Print the table, or write it where ``-o`` says."""
    from nerfloss.reporting.report import FORMATS, report
    from nerfloss.reporting.table import as_markdown, show

    table = report(options.folder, metrics=options.metrics)
    write = FORMATS.get(options.format)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text((write or as_markdown)(table))
    elif write:
        print(write(table), end="")
    else:
        show(table)
    return 0
