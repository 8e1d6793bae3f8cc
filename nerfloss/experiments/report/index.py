"""What was read from a folder's runs, kept in a file, so that a second look need not read them.

The file is SQLite, by the standard library: it changes a row without writing the others, and loads
nothing to be opened; DuckDB and Parquet read columns, and what is wanted here is every row, whole.
benchmarks/index_formats.py compares them (figures in docs/benchmarks.md).

It is a memory of files and never more: a row counts as long as the times and sizes of its run's
files are what they were. It may be deleted, damaged, or written by several at once.
"""

import contextlib
import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from nerfloss.experiments.report.dedup_store import DedupStore

FILE = ".runs.sqlite"
FEWEST = 100  # runs; fewer are read in less than a second
ROWS_AT_A_TIME = 500
ANSWERS = 8
SECONDS_TO_WAIT = 2.0  # for another process that writes
_TABLES = (
    "CREATE TABLE run (path TEXT PRIMARY KEY, stamp TEXT, facts TEXT) WITHOUT ROWID",
    "CREATE TABLE piece (name TEXT PRIMARY KEY, content TEXT) WITHOUT ROWID",
    "CREATE TABLE answer (question TEXT PRIMARY KEY, content TEXT)",
)
# What reads runs and makes tables of them: when any of it changes, what it read is forgotten.
_CODE = (Path(__file__).parent, Path(__file__).parent.parent / "statistics")


class Index:
    """The memory of one folder, in the file at ``path``; without one it remembers nothing."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.file = None if path is None else _open(path)
        self.pieces = DedupStore()
        self._rows: list[tuple[str, str, str]] = []

    def known(self, stamps: Mapping[str, str | None]) -> dict[str, dict[str, Any]]:
        """The facts of the runs whose files are as they were, by path."""
        if self.file is None:
            return {}
        found: dict[str, dict[str, Any]] = {}
        try:
            self.pieces = DedupStore(self.file.execute("SELECT name, content FROM piece"))
            rows = self.file.execute("SELECT path, stamp, facts FROM run")
            while some := rows.fetchmany(ROWS_AT_A_TIME):
                true = [row for row in some if row[1] is not None and row[1] == stamps.get(row[0])]
                facts = self.pieces.read_all([text for _, _, text in true])
                # What is damaged is left out, and read again.
                found.update((r[0], f) for r, f in zip(true, facts, strict=True) if f is not None)
        except (sqlite3.Error, ValueError) as error:
            self._give_up(damaged=not isinstance(error, sqlite3.OperationalError))
        return found

    def keep(self, path: str, stamp: str | None, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Remember a run; its facts as they will be read again. Without a stamp it is too new."""
        text = self.pieces.written(facts)
        if self.file is not None and stamp is not None:
            self._rows.append((path, stamp, text))
            if len(self._rows) >= ROWS_AT_A_TIME:
                self._write()
        return self.pieces.read(text)

    def answer(self, question: str) -> str | None:
        """What was answered to a question before."""
        if self.file is None:
            return None
        with contextlib.suppress(sqlite3.Error):
            asked = "SELECT content FROM answer WHERE question = ?"
            for (content,) in self.file.execute(asked, (question,)):
                return content
        return None

    def remember(self, question: str, content: str) -> None:
        """Keep an answer, and the last few before it."""
        with contextlib.suppress(sqlite3.Error):
            self._change("INSERT OR REPLACE INTO answer VALUES (?, ?)", [(question, content)])
            old = "SELECT rowid FROM answer ORDER BY rowid DESC LIMIT -1 OFFSET ?"
            self._change(f"DELETE FROM answer WHERE rowid IN ({old})", [(ANSWERS,)])

    def close(self, paths: Collection[str] | None = None) -> None:
        """Write what is left, and forget the runs that are not at ``paths``, if these are known."""
        self._write()
        if self.file is not None and paths is not None:
            with contextlib.suppress(sqlite3.Error):
                there = {path for (path,) in self.file.execute("SELECT path FROM run")}
                self._change("DELETE FROM run WHERE path = ?", [(p,) for p in there - {*paths}])
        if self.file is not None:
            self.file.close()

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        try:
            self._change("INSERT OR IGNORE INTO piece VALUES (?, ?)", list(self.pieces.new.items()))
            self._change("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", rows)
            self.pieces.new.clear()
        except sqlite3.Error:  # the disk is full, or another process wrote for too long
            self._give_up(damaged=False)

    def _change(self, statement: str, rows: Sequence[tuple[str | int, ...]]) -> None:
        if self.file is not None and rows:
            with _changing(self.file):
                self.file.executemany(statement, rows)

    def _give_up(self, *, damaged: bool) -> None:
        """Remember nothing more; the next look begins a damaged file anew."""
        assert self.file is not None
        assert self.path is not None
        self.file.close()
        self.file = None
        if damaged:
            with contextlib.suppress(OSError):
                self.path.unlink()


@contextlib.contextmanager
def opened(root: Path, paths: Collection[str]) -> Iterator[Index]:
    """The index of a folder with runs at these paths, for as long as the block lasts.

    It is made if there are enough runs, in the folder or, where that cannot be written to, in a
    cache folder; if neither can, it remembers nothing.
    """
    index = _found(root, len(paths))
    try:
        yield index
    except BaseException:
        index.close()
        raise
    index.close(paths)


def _found(root: Path, runs: int) -> Index:
    if runs >= FEWEST:
        for path in (root / FILE, _cached(root)):
            with contextlib.suppress(OSError, sqlite3.Error):
                if path.parent != root:
                    path.parent.mkdir(parents=True, exist_ok=True)
                return Index(path)
    return Index()


def _open(path: Path) -> sqlite3.Connection:
    """The file, of this version; what is no such file is begun anew. Raises where that fails."""
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise PermissionError(path)
    try:
        return _checked(path)
    except sqlite3.OperationalError:  # no file, no right to it, or somebody is writing
        raise
    except sqlite3.DatabaseError:
        path.unlink()
        return _checked(path)


def _checked(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, timeout=SECONDS_TO_WAIT, isolation_level=None)
    try:
        if file.execute("PRAGMA user_version").fetchone()[0] != _version():
            with _changing(file):
                for table in ("run", "piece", "answer"):
                    file.execute(f"DROP TABLE IF EXISTS {table}")
                for table in _TABLES:
                    file.execute(table)
                file.execute(f"PRAGMA user_version = {_version()}")
        file.execute("SELECT path, stamp, facts FROM run LIMIT 1")
    except BaseException:
        file.close()
        raise
    return file


@contextlib.contextmanager
def _changing(file: sqlite3.Connection) -> Iterator[None]:
    file.execute("BEGIN IMMEDIATE")
    try:
        yield
        file.execute("COMMIT")
    except BaseException:
        file.execute("ROLLBACK")
        raise


@cache
def _version() -> int:
    """Another number for other code, below 2^31 as SQLite wants it."""
    sources = [path.read_bytes() for folder in _CODE for path in sorted(folder.glob("*.py"))]
    return int.from_bytes(sha256(b"".join(sources)).digest()[:4], "big") >> 1


def _cached(root: Path) -> Path:
    """A place of this user's for the index of a folder that others own."""
    cache_folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = sha256(str(root.resolve()).encode()).hexdigest()[:24]
    return cache_folder / "nerfloss" / "runs" / f"{name}.sqlite"
