"""history.csv and its kin: one row per recorded step, in a file that is readable at any moment."""

import csv
import errno
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nerfloss.files import atomic_write


class CsvLogger:
    """Write scalars, or words, to a CSV file with the columns ``step`` and one per name.

    The ``columns`` that are known beforehand come first, also while they are empty. A name that
    turns up later (a term that starts at step 1000) gets a column then, empty in the rows before.
    Two writes of one step share a row. ``start`` is the first step that will be recorded: rows from
    it on, left by a run that was killed after its last checkpoint, are dropped, so that a resumed
    history has the rows of an uninterrupted one; at 0 the file begins anew.
    """

    def __init__(
        self, path: Path | str, *, every: int = 10, start: int = 0, columns: Sequence[str] = ()
    ) -> None:
        self.path = Path(path)
        if every < 1:
            raise ValueError(f"{self.path.name} needs every >= 1 step, got every={every}")
        self.every = every
        found, rows = _rows_before(self.path, start)
        self._row: dict[str, str] = {}
        self._row_begins = 0
        self._rewrite(list(dict.fromkeys(["step", *columns, *found])), rows)

    def due(self, step: int) -> bool:
        return step % self.every == 0

    def rows(self) -> list[dict[str, str]]:
        """What the file holds, as text."""
        return _read(self.path)[1]

    def write(self, step: int, scalars: Mapping[str, float | str]) -> None:
        """Append a row, or complete the last one where it is of the same step."""
        row = {"step": str(step)} | {
            name: v if isinstance(v, str) else format(v, ".9g") for name, v in scalars.items()
        }
        begin = self.path.stat().st_size
        if self._row.get("step") == row["step"]:
            row, begin = self._row | row, self._row_begins
        new = [name for name in row if name not in self._columns]
        if new:
            _, rows = _read(self.path)
            others = [other for other in rows if other["step"] != row["step"]]
            self._rewrite([*self._columns, *new], [*others, row])
            begin = self.path.stat().st_size - len(_lines(self._columns, [row]))
        else:
            self._put(begin, _lines(self._columns, [row]))
        self._row, self._row_begins = row, begin

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Nothing: a table holds no images."""

    def close(self) -> None:
        """Nothing: no file is open between two writes."""

    def _put(self, begin: int, line: bytes) -> None:
        """Let the file end with a line from ``begin`` on; as it was before, where that fails."""
        # Opened and closed for every row: the file is whole whenever somebody looks at it.
        with open(self.path, "r+b", buffering=0) as file:
            file.seek(begin)
            before = file.read()
            try:
                file.seek(begin)
                if file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
                file.truncate()
            except OSError:
                # Half a line would join the next one. These bytes have their place already.
                file.seek(begin)
                file.write(before)
                file.truncate()
                raise

    def _rewrite(self, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
        """Replace the file by one with these columns."""
        header = dict(zip(columns, columns, strict=True))
        atomic_write(self.path, _lines(columns, [header, *rows]))
        self._columns = list(columns)


def _rows_before(path: Path, start: int) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of an existing history before step ``start``."""
    if start == 0 or not path.is_file():
        return ["step"], []
    columns, rows = _read(path)
    rows = [row for row in rows if int(row["step"]) < start]
    # A column of dropped rows only is one that an uninterrupted run would not have yet.
    return ["step", *(c for c in columns if c != "step" and any(row[c] for row in rows))], rows


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and whole rows; a last line without its end was cut by a crash and is left out."""
    whole = path.read_text().rpartition("\n")[0]
    lines = list(csv.reader(io.StringIO(whole)))
    if not lines or lines[0][:1] != ["step"]:
        raise ValueError(f"{path} is no history of ours: its first line must begin with 'step'")
    columns, *rest = lines
    whole_rows = [line for line in rest if len(line) == len(columns)]
    return columns, [dict(zip(columns, line, strict=True)) for line in whole_rows]


def _lines(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([[row.get(column, "") for column in columns] for row in rows])
    return text.getvalue().encode()
