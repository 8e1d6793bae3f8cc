"""What the page is made of: sections, the blocks in them, and parts that had to be left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from nerfloss.experiments.report.figures import Drawing, for_page
from nerfloss.experiments.report.table import Table, as_text, numeric_columns

# What cells of a table say by themselves, and how the page marks it.
TONES = {
    "better": "better",
    "worse": "worse",
    "inside the noise": "noise",
    "too few runs to say": "noise",
    "finished": "noise",
    "ok": "noise",
    **dict.fromkeys(("failed", "dead", "vanishing", "exploding", "non-finite"), "worse"),
}


@dataclass(frozen=True)
class Figure:
    """A figure of the page; ``name`` is that of its files in figures/."""

    name: str
    title: str
    drawing: Drawing
    caption: str = ""

    @property
    def inline(self) -> str:
        """The figure as the page holds it."""
        return for_page(self.drawing, self.name, self.title)


@dataclass(frozen=True)
class Figures:
    """Figures in a grid."""

    figures: Sequence[Figure]
    title: str = ""
    kind: ClassVar[str] = "figures"


@dataclass(frozen=True)
class PageTable:
    """A table in a box of its own; ``folded`` is the line to click where it is shown on demand."""

    table: Table
    folded: str = ""
    kind: ClassVar[str] = "table"

    @cached_property
    def numeric(self) -> Sequence[bool]:
        """Which columns hold numbers."""
        return numeric_columns(self.table)

    @property
    def begins(self) -> list[bool]:
        """Which rows begin a group: those with another first cell than the row above."""
        first = [row[0] for row in self.table.rows]
        same = [i > 0 and cell == first[i - 1] for i, cell in enumerate(first)]
        return [i > 0 and any(same) and not same[i] for i in range(len(first))]

    @property
    def cells(self) -> list[list[tuple[str, str]]]:
        """Each cell's text and its marks: number, strong, or a tone."""
        return [
            [(as_text(cell), self._marks(i, j, cell)) for j, cell in enumerate(row)]
            for i, row in enumerate(self.table.rows)
        ]

    def _marks(self, row: int, column: int, cell: Any) -> str:
        marks = ["number"] if self.numeric[column] else []
        marks += ["strong"] if (row, column) in self.table.strong else []
        tone = TONES.get(cell.partition(" after")[0]) if isinstance(cell, str) else None
        return " ".join([*marks, tone] if tone else marks)


@dataclass(frozen=True)
class Code:
    """Text as it stands in a file, behind a line to click."""

    text: str
    title: str
    open: bool = False
    kind: ClassVar[str] = "code"


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    facts: Sequence[tuple[str, str]]
    title: str = ""
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True)
class Notes:
    """Sentences, one below the other."""

    notes: Sequence[str]
    title: str = ""
    kind: ClassVar[str] = "notes"


@dataclass(frozen=True)
class Widget:
    """Something to be used: ``kind`` names its part of the template, ``data`` is JSON for it."""

    kind: str
    data: str
    said: str = ""
    more: Mapping[str, str] = field(default_factory=dict)


Block = Figures | PageTable | Code | Facts | Notes | Widget


@dataclass(frozen=True)
class Section:
    """A part of the page; ``reading`` says in a sentence or two how to read it."""

    name: str
    title: str
    reading: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class LeftOut:
    """A part that the page has not, and why."""

    title: str
    reason: str
