"""``nerfloss compare``: what differs between runs, and whether their scores do."""

import argparse
from pathlib import Path


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
    formats = ["table", "markdown", "csv", "latex"]
    verb.add_argument("-f", "--format", choices=formats, default="table")
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
    """Print the tables, or write them where ``-o`` says; as CSV they are one."""
    from nerfloss.reporting.report import FORMATS
    from nerfloss.reporting.side_by_side import as_one, compared
    from nerfloss.reporting.table import as_markdown, show

    tables = compared(options.folders, metrics=options.metrics)
    tables = [as_one(tables)] if options.format == "csv" else tables
    write = FORMATS.get(options.format)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text("\n".join(map(write or as_markdown, tables)))
    elif write:
        print("\n".join(map(write, tables)), end="")
    else:
        for table in tables:
            show(table)
    return 0
