"""CSV logger: one row per recorded step, in a file that is complete after every row."""

import csv
import errno
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nerfloss.files import atomic_write


class CsvLogger:
    """Write scalars or text to a CSV file with the column ``step`` and one column per name.

    Known ``columns`` come first, even while they are empty. A name that appears later (a term that
    starts at step 1000) adds a column, empty in earlier rows. Two writes of one step share a row.

    ``start`` is the first step that will be recorded. Rows from it on, left by a run that was
    killed after its last checkpoint, are dropped, so that a resumed run has the rows of an
    uninterrupted one. With 0 the file is written anew.
    """

    def __init__(
        self, path: Path | str, *, every: int = 10, start: int = 0, columns: Sequence[str] = ()
    ) -> None:
        self.path = Path(path)
        if every < 1:
            raise ValueError(f"{self.path.name} needs every >= 1 step, got every={every}")
        self.every = every
        existing, rows = _rows_before(self.path, start)
        self._row: dict[str, str] = {}
        self._row_begins = 0
        self._rewrite(list(dict.fromkeys(["step", *columns, *existing])), rows)

    def due(self, step: int) -> bool:
        return step % self.every == 0

    def rows(self) -> list[dict[str, str]]:
        """Return the rows of the file, as text."""
        return _read(self.path)[1]

    def write(self, step: int, scalars: Mapping[str, float | str]) -> None:
        """Append a row, or extend the last one if it is of the same step."""
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
            self._replace_end(begin, _lines(self._columns, [row]))
        self._row, self._row_begins = row, begin

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Do nothing: a table holds no images."""

    def close(self) -> None:
        """Do nothing: no file is open between writes."""

    def _replace_end(self, begin: int, line: bytes) -> None:
        """Replace the end of the file, from ``begin`` on, by a line; restore it if that fails."""
        # Opened and closed for every row, so that the file is always complete.
        with open(self.path, "r+b", buffering=0) as file:
            file.seek(begin)
            before = file.read()
            try:
                file.seek(begin)
                if file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
                file.truncate()
            except OSError:
                # Half a line would join the next one. The old bytes need no new space on the disk.
                file.seek(begin)
                file.write(before)
                file.truncate()
                raise

    def _rewrite(self, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
        """Write the whole file with these columns."""
        header = dict(zip(columns, columns, strict=True))
        atomic_write(self.path, _lines(columns, [header, *rows]))
        self._columns = list(columns)


def _rows_before(path: Path, start: int) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns and rows of an existing file before step ``start``."""
    if start == 0 or not path.is_file():
        return ["step"], []
    columns, rows = _read(path)
    rows = [row for row in rows if int(row["step"]) < start]
    # An uninterrupted run would not yet have a column that only dropped rows use.
    return ["step", *(c for c in columns if c != "step" and any(row[c] for row in rows))], rows


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return columns and complete rows; a last line that a crash cut off is left out."""
    text = path.read_text().rpartition("\n")[0]
    lines = list(csv.reader(io.StringIO(text)))
    if not lines or lines[0][:1] != ["step"]:
        raise ValueError(f"{path} is not a log of nerfloss: its first line must begin with 'step'")
    columns, *rest = lines
    complete = [line for line in rest if len(line) == len(columns)]
    return columns, [dict(zip(columns, line, strict=True)) for line in complete]


def _lines(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([[row.get(column, "") for column in columns] for row in rows])
    return text.getvalue().encode()
