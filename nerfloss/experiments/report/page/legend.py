"""Legends above figures: a shared setting becomes the title; long legends are thinned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nerfloss.experiments.report.figures import INK

MAX_ENTRIES = 8
MAX_CHARACTERS = 52  # per row of a legend
ROW_HEIGHT = 0.17  # inches


@dataclass(frozen=True)
class Legend:
    """``labels`` are the displayed ``names``, below a shared ``title``, in ``columns``."""

    names: Sequence[str]
    labels: Sequence[str]
    title: str
    columns: int

    @property
    def height(self) -> float:
        """Height in inches."""
        return (
            ROW_HEIGHT * (-(-len(self.labels) // self.columns) + bool(self.title))
            if self.labels
            else 0.0
        )

    def add_to(self, axes: Any) -> None:
        """Add the legend to the figure of these axes."""
        if not self.labels:
            return
        handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        axes.figure.legend(
            [handles[name] for name in self.names],
            self.labels,
            loc="outside upper left",
            ncols=self.columns,
            title=self.title or None,
            alignment="left",
            labelcolor=INK,
            columnspacing=1.2,
            handletextpad=0.5,
            borderaxespad=0.1,
        )


def legend_of(labels: Sequence[str]) -> Legend:
    """Return a legend for lines with these labels; empty for one line.

    Of more than 8 labels 6 are kept, evenly spaced. A common ``setting=`` becomes the title.
    """
    names = list(dict.fromkeys(labels))
    if len(names) < 2:
        return Legend((), (), "", 1)
    if len(names) > MAX_ENTRIES:
        places = np.linspace(0, len(names) - 1, MAX_ENTRIES - 2).round().astype(int)
        names = [names[place] for place in places]
    heads = {name.partition("=")[0] for name in names}
    shared = heads.pop() if len(heads) == 1 and all(n.count("=") == 1 for n in names) else ""
    shown = [name.partition("=")[2] if shared else name for name in names]
    columns = max(1, min(len(shown), MAX_CHARACTERS // (max(map(len, shown)) + 5)))
    return Legend(names, shown, shared, columns)
