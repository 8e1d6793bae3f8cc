"""A table of text or numbers, and how it is written: for a terminal, as Markdown, as CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import rich.table
from rich import box
from rich.console import Console
from rich.text import Text

Cell = str | float | int | None


@dataclass(frozen=True)
class Table:
    """Columns, rows of equal length, and remarks below. None is an empty cell.

    ``wide`` holds the same facts for machines where that needs other columns (a mean and its
    deviation apart); CSV writes it instead.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    strong: frozenset[tuple[int, int]] = field(default=frozenset())
    wide: "Table | None" = None

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"a row has {len(row)} cells for {len(self.columns)} columns: {row}"
                )


def as_text(cell: Cell) -> str:
    """A cell as a person reads it: five significant digits, nothing for None."""
    if cell is None:
        return ""
    return f"{cell:.5g}" if isinstance(cell, float) else str(cell)


def as_markdown(table: Table) -> str:
    """The table in GitHub's Markdown, title and remarks around it; numbers to the right.

    Of a table without rows that is all.
    """
    texts = [[as_text(cell).replace("|", r"\|") for cell in row] for row in table.rows]
    for row, column in table.strong:
        texts[row][column] = f"**{texts[row][column]}**"
    marks = ["---:" if right else "---" for right in numeric_columns(table)]
    heads = [column.replace("|", r"\|") for column in table.columns]
    lines = ["| " + " | ".join(cells) + " |" for cells in [heads, marks, *texts]]
    title = [f"### {table.title}", ""] if table.title else []
    notes = ["", *(f"- {note}" for note in table.notes)] if table.notes else []
    if not table.rows:
        return "\n".join([*title, *notes[1:]]) + "\n"
    return "\n".join([*title, *lines, *notes]) + "\n"


def as_csv(table: Table) -> str:
    """The table as CSV for machines: full precision, no title and no remarks."""
    table = table.wide or table
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([["" if cell is None else cell for cell in row] for row in table.rows])
    return text.getvalue()


def show(table: Table) -> None:
    """Print the table for a person: fitted to a terminal, unfolded into a pipe or a log."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=240)
    # Below the table and not in its caption: a caption is as narrow as the table.
    console.print(as_rich(table) if table.rows else Text(table.title, style="italic"))
    for note in table.notes:
        console.print(Text(f"- {note}"))
    if table.notes:
        console.print()


def as_rich(table: Table) -> rich.table.Table:
    """The table for a terminal, without its remarks."""
    drawn = rich.table.Table(
        title=Text(table.title) if table.title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for column, right in zip(table.columns, numeric_columns(table), strict=True):
        drawn.add_column(Text(column), justify="right" if right else "left", overflow="fold")
    for i, row in enumerate(table.rows):
        styles = ["bold" if (i, j) in table.strong else "" for j in range(len(row))]
        drawn.add_row(*(Text(as_text(c), style=s) for c, s in zip(row, styles, strict=True)))
    return drawn


def numeric_columns(table: Table) -> Sequence[bool]:
    """Which columns hold numbers, possibly beside empty cells and means written with a ±."""
    return [
        all(cell is None or _is_number(cell) for cell in cells)
        for cells in (zip(*table.rows, strict=True) if table.rows else [()] * len(table.columns))
    ]


def _is_number(cell: Cell) -> bool:
    if isinstance(cell, str):
        try:
            float(cell.partition(" ±")[0])
        except ValueError:
            return False
    return True
