"""Tables of text and numbers, and their output: terminal, Markdown, CSV."""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import rich.table
from rich import box
from rich.console import Console
from rich.text import Text

from nerfloss.files import printable

Cell = str | float | int | None
# Longer cells are wrapped at spaces in a terminal.
LONGEST_LINE = 24


@dataclass(frozen=True)
class Table:
    """Columns, rows of equal length, and notes below. None is an empty cell.

    ``strong``: (row, column) of cells set in bold. ``wide``: the table that is written as CSV
    instead, with mean and standard deviation in columns of their own. ``keys``: the number of
    leading columns that identify a row.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    strong: frozenset[tuple[int, int]] = field(default=frozenset())
    wide: "Table | None" = None
    keys: int = 1

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"a row has {len(row)} cells for {len(self.columns)} columns: {row}"
                )
        # Texts are of files that anyone may have written, and every output has lines.
        object.__setattr__(self, "title", printable(self.title, keep="\n"))
        object.__setattr__(self, "columns", tuple(map(printable, self.columns)))
        notes = tuple(printable(note, keep="\n") for note in self.notes)
        object.__setattr__(self, "notes", notes)
        object.__setattr__(self, "rows", tuple(tuple(map(_printable, row)) for row in self.rows))


def _printable(cell: Cell) -> Cell:
    return printable(cell) if isinstance(cell, str) else cell


def as_text(cell: Cell) -> str:
    """Return a cell as text: five significant digits, "" for None."""
    if cell is None:
        return ""
    return f"{cell:.5g}" if isinstance(cell, float) else str(cell)


def as_markdown(table: Table) -> str:
    """Return the table as GitHub Markdown, with title and notes; numbers are right-aligned.

    A table without rows gives title and notes only.
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
    """Return the table as CSV in full precision, without title and notes."""
    table = table.wide or table
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([["" if cell is None else cell for cell in row] for row in table.rows])
    return text.getvalue()


def show(table: Table) -> None:
    """Print the table, fitted to the terminal.

    Into a pipe or a file it has the width of the environment variable COLUMNS, 240 if not set.
    """
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=240)
    if not table.rows:
        console.print(Text(table.title, style="italic"))
    for part in split_to_fit(table, console.width) if table.rows else ():
        console.print(as_rich(part))
    # Not as a caption, which is as narrow as the table; paths and addresses stay whole.
    for note in table.notes:
        console.print(Text(f"- {note}"), soft_wrap=True)
    if table.notes:
        console.print()


def split_to_fit(table: Table, width: int) -> list[Table]:
    """Return the table as tables of at most ``width`` columns of text, if it is wider.

    Each part repeats the key columns. A single long key takes at most half of the width.
    """
    needed = [line_width(table, column) + 3 for column in range(len(table.columns))]
    if sum(needed) < width:
        return [table]
    keys = list(range(table.keys))
    limit = max(LONGEST_LINE + 3, width // 2 // max(len(keys), 1))
    start = 1 + sum(min(needed[key], limit) for key in keys)
    parts: list[list[int]] = [[]]
    used = start
    for column in range(len(keys), len(table.columns)):
        if parts[-1] and used + needed[column] > width:
            parts.append([])
            used = start
        parts[-1].append(column)
        used += needed[column]
    return [
        _select(table, [*keys, *part], "" if i else table.title) for i, part in enumerate(parts)
    ]


def _select(table: Table, columns: Sequence[int], title: str) -> Table:
    return Table(
        tuple(table.columns[column] for column in columns),
        tuple(tuple(row[column] for column in columns) for row in table.rows),
        title=title,
        strong=frozenset(
            (row, columns.index(column)) for row, column in table.strong if column in columns
        ),
        keys=table.keys,
    )


def line_width(table: Table, column: int) -> int:
    """Return the width of a column whose long cells are wrapped at spaces."""
    cells = [table.columns[column], *(as_text(row[column]) for row in table.rows)]
    return max(min(len(cell), max(LONGEST_LINE, *map(len, cell.split()), 0)) for cell in cells)


def as_rich(table: Table) -> rich.table.Table:
    """Return the table for a terminal, without its notes."""
    drawn = rich.table.Table(
        title=Text(table.title) if table.title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for i, (column, right) in enumerate(zip(table.columns, numeric_columns(table), strict=True)):
        drawn.add_column(
            Text(column),
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=all(len(as_text(row[i])) <= LONGEST_LINE for row in table.rows),
        )
    for i, row in enumerate(table.rows):
        styles = ["bold" if (i, j) in table.strong else "" for j in range(len(row))]
        drawn.add_row(*(Text(as_text(c), style=s) for c, s in zip(row, styles, strict=True)))
    return drawn


def numeric_columns(table: Table) -> Sequence[bool]:
    """Return for each column whether all non-empty cells are numbers, or numbers with a ±."""
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
