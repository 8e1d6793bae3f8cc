"""Building blocks of the page: sections, their blocks, and omitted sections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from nerfloss.experiments.report.figures import Drawing, for_page
from nerfloss.experiments.report.table import Table, as_text, numeric_columns

# CSS classes of table cells with these texts.
TONES = {
    "better": "better",
    "worse": "worse",
    "not significant": "noise",
    "too few runs": "noise",
    "finished": "noise",
    "ok": "noise",
    **dict.fromkeys(("failed", "dead", "vanishing", "exploding", "non-finite"), "worse"),
}


@dataclass(frozen=True)
class Figure:
    """A figure; ``name`` is that of its files in figures/."""

    name: str
    title: str
    drawing: Drawing
    caption: str = ""

    @property
    def inline(self) -> str:
        """The figure as inline SVG."""
        return for_page(self.drawing, self.name, self.title)


@dataclass(frozen=True)
class Figures:
    """Figures in a grid."""

    figures: Sequence[Figure]
    title: str = ""
    kind: ClassVar[str] = "figures"


@dataclass(frozen=True)
class PageTable:
    """A table; ``folded`` is the title to click on, "" if the table is always visible."""

    table: Table
    folded: str = ""
    kind: ClassVar[str] = "table"

    @cached_property
    def numeric(self) -> Sequence[bool]:
        """True for each numeric column."""
        return numeric_columns(self.table)

    @property
    def begins(self) -> list[bool]:
        """True for each row that begins a group: its first cell differs from the row above."""
        first = [row[0] for row in self.table.rows]
        same = [i > 0 and cell == first[i - 1] for i, cell in enumerate(first)]
        return [i > 0 and any(same) and not same[i] for i in range(len(first))]

    @property
    def cells(self) -> list[list[tuple[str, str]]]:
        """Text and CSS classes of each cell."""
        return [
            [(as_text(cell), self._classes(i, j, cell)) for j, cell in enumerate(row)]
            for i, row in enumerate(self.table.rows)
        ]

    def _classes(self, row: int, column: int, cell: Any) -> str:
        marks = ["number"] if self.numeric[column] else []
        marks += ["strong"] if (row, column) in self.table.strong else []
        tone = TONES.get(cell.partition(" after")[0]) if isinstance(cell, str) else None
        return " ".join([*marks, tone] if tone else marks)


@dataclass(frozen=True)
class Code:
    """Preformatted text under a title to click on."""

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
    """A list of sentences."""

    notes: Sequence[str]
    title: str = ""
    kind: ClassVar[str] = "notes"


@dataclass(frozen=True)
class Widget:
    """An interactive element: ``kind`` selects the template, ``data`` is its JSON."""

    kind: str
    data: str
    caption: str = ""
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A picture with a title; ``url`` is a data URL."""

    title: str
    url: str


@dataclass(frozen=True)
class Pictures:
    """Pictures in a grid."""

    pictures: Sequence[Picture]
    title: str = ""
    kind: ClassVar[str] = "pictures"


Block = Figures | PageTable | Code | Facts | Notes | Pictures | Widget


@dataclass(frozen=True)
class Section:
    """A section; ``reading`` explains it in a sentence or two."""

    name: str
    title: str
    reading: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class LeftOut:
    """An omitted section, with the reason."""

    title: str
    reason: str
