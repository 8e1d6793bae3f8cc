"""The names of lines above a figure: what they share said once, few enough to be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nerfloss.experiments.report.figures import INK

MOST = 8
ROOM = 52  # letters that fit beside each other above a figure
LINE = 0.17  # inches that a line of names takes


@dataclass(frozen=True)
class Legend:
    """``said`` are the names as shown, below ``title`` if they share one, in ``columns``."""

    names: Sequence[str]
    said: Sequence[str]
    title: str
    columns: int

    @property
    def height(self) -> float:
        """What it takes above a figure, in inches."""
        return LINE * (-(-len(self.said) // self.columns) + bool(self.title)) if self.said else 0.0

    def add_to(self, axes: Any) -> None:
        """Name the lines that were drawn with these labels."""
        if not self.said:
            return
        handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        axes.figure.legend(
            [handles[name] for name in self.names],
            self.said,
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
    """A legend for lines with these labels; of many, some spread over all; none for one line.

    Labels that begin with the same ``setting=`` say it once.
    """
    names = list(dict.fromkeys(labels))
    if len(names) < 2:
        return Legend((), (), "", 1)
    if len(names) > MOST:
        places = np.linspace(0, len(names) - 1, MOST - 2).round().astype(int)
        names = [names[place] for place in places]
    heads = {name.partition("=")[0] for name in names}
    shared = heads.pop() if len(heads) == 1 and all(n.count("=") == 1 for n in names) else ""
    said = [name.partition("=")[2] if shared else name for name in names]
    columns = max(1, min(len(said), ROOM // (max(map(len, said)) + 5)))
    return Legend(names, said, shared, columns)
