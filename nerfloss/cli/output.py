"""Write the tables of a command: to the console, or as text to the console or a file."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nerfloss.experiments.report.table import Table


def add_format(command: argparse.ArgumentParser) -> None:
    """Declare ``-f``."""
    formats = ["table", "markdown", "csv", "latex"]
    command.add_argument("-f", "--format", choices=formats, default="table")


def add_output(command: argparse.ArgumentParser) -> None:
    """Declare ``-f``, ``-o`` and, for tables of scores, ``-m``."""
    add_format(command)
    command.add_argument("-o", "--output", type=Path, help="write there instead of printing")
    command.add_argument(
        "-m",
        "--metrics",
        type=lambda text: text.split(","),
        default=[],
        help="names of metrics, separated by commas (default: the main ones)",
    )


def write_tables(tables: "Sequence[Table]", form: str, to: Path | None = None) -> None:
    """Print tables, or write them to a file (as Markdown where ``form`` is ``table``)."""
    from nerfloss.experiments.report.report import FORMATS
    from nerfloss.experiments.report.table import as_markdown, show

    write = FORMATS.get(form)
    if to:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text("\n".join(map(write or as_markdown, tables)))
    elif write:
        print("\n".join(map(write, tables)), end="")
    else:
        for table in tables:
            show(table)
