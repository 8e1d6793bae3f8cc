"""In what file should an index of thousands of runs lie? SQLite, DuckDB, Parquet, lines of JSON.

    pip install duckdb pyarrow
    python benchmarks/index_formats.py          # those that are installed

Each format writes 5000 rows of what nerfloss.experiments.report.index keeps of a run (a path, a stamp, 2.5
kB of text), changes ten of them and reads all, in a process of its own for each.
"""

import argparse
import json
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

Row = tuple[str, str, str]
CHANGED = 10


def rows(count: int) -> Iterator[Row]:
    """What is kept of runs with fifty scores."""
    draw = random.Random(0)
    for number in range(count):
        scores = {f"score_of_kind_{k}": draw.random() for k in range(54)}
        facts = {"metrics": scores, "config": {str(k): "\0" + "a" * 24 for k in range(15)}}
        yield f"weight={number // 10},seed={number % 10}", f"{number:064x}" * 2, json.dumps(facts)


class Sqlite:
    """The standard library's."""

    def __init__(self, path: Path) -> None:
        self.file = sqlite3.connect(path, isolation_level=None)

    def write(self, found: list[Row]) -> None:
        self.file.execute("CREATE TABLE run (path TEXT PRIMARY KEY, stamp TEXT, facts TEXT)")
        self.change(found)

    def change(self, found: list[Row]) -> None:
        self.file.execute("BEGIN")
        self.file.executemany("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", found)
        self.file.execute("COMMIT")

    def read(self) -> list[Row]:
        return self.file.execute("SELECT path, stamp, facts FROM run").fetchall()


class DuckDB:
    """A database of columns."""

    def __init__(self, path: Path) -> None:
        import duckdb

        self.file = duckdb.connect(str(path))

    def write(self, found: list[Row]) -> None:
        self.file.execute("CREATE TABLE run (path TEXT PRIMARY KEY, stamp TEXT, facts TEXT)")
        self.change(found)

    def change(self, found: list[Row]) -> None:
        # Row by row takes it a minute.
        columns = [list(column) for column in zip(*found, strict=True)]
        put = "INSERT OR REPLACE INTO run SELECT unnest(?), unnest(?), unnest(?)"
        self.file.execute(put, columns)

    def read(self) -> list[Row]:
        return self.file.execute("SELECT path, stamp, facts FROM run").fetchall()


class Parquet:
    """A file of columns, which is written as a whole."""

    def __init__(self, path: Path) -> None:
        import pyarrow
        import pyarrow.parquet

        self.path, self.arrow, self.parquet = path, pyarrow, pyarrow.parquet

    def write(self, found: list[Row]) -> None:
        columns = dict(
            zip(("path", "stamp", "facts"), map(list, zip(*found, strict=True)), strict=True)
        )
        self.parquet.write_table(self.arrow.table(columns), self.path)

    def change(self, found: list[Row]) -> None:
        self.write(list({row[0]: row for row in [*self.read(), *found]}.values()))

    def read(self) -> list[Row]:
        columns = self.parquet.read_table(self.path).to_pydict()
        return list(zip(*columns.values(), strict=True))


class Lines:
    """A line of JSON for each row, written as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, found: list[Row]) -> None:
        self.path.write_text("".join(json.dumps(row) + "\n" for row in found))

    def change(self, found: list[Row]) -> None:
        self.write(list({row[0]: row for row in [*self.read(), *found]}.values()))

    def read(self) -> list[Row]:
        with open(self.path) as file:
            return [tuple(json.loads(line)) for line in file]


FORMATS = {each.__name__: each for each in (Sqlite, DuckDB, Parquet, Lines)}


def measure(name: str, what: str, path: Path, count: int) -> dict[str, float]:
    """One thing done to one file: seconds to open it, to do that, and the memory that it took."""
    found = [] if what == "read" else list(rows(count if what == "write" else CHANGED))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    file = FORMATS[name](path)
    opened = time.perf_counter()
    file.read() if what == "read" else getattr(file, what)(found)
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"open": opened - begin, what: done - opened, "MB": peak / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        name, what, path = asked.one
        print(json.dumps(measure(name, what, Path(path), asked.rows)))
        return
    table = Table("", "open s", "write s", "change ten s", "read s", "MB to read", "file MB")
    for name in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "index"
            found: dict[str, float] = {}
            try:
                for what in ("write", "change", "read"):
                    command = [sys.executable, __file__, "--rows", str(asked.rows)]
                    command += ["--one", name, what, str(path)]
                    said = subprocess.run(command, check=True, capture_output=True, text=True)
                    found |= json.loads(said.stdout)
            except subprocess.CalledProcessError as error:
                table.add_row(name, error.stderr.strip().splitlines()[-1][:40])
                continue
            keys = ("open", "write", "change", "read")
            cells = [f"{found[key]:.3f}" for key in keys]
            table.add_row(name, *cells, f"{found['MB']:.0f}", f"{path.stat().st_size / 1e6:.1f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
