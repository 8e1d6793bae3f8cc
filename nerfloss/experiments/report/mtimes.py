"""When the files of a run were last changed: by that, what an index says of it is still true."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence

FILES = (
    ".hydra/config.yaml",
    ".hydra/overrides.yaml",
    ".hydra/hydra.yaml",
    "metrics.json",
    "provenance.json",
    "ablation.json",
)
# A file that changes twice within a tick of the clock of its file system keeps its time.
TICK_NANOSECONDS = 2 * 10**9


def stamp_of(folder: str) -> str | None:
    """Time and size of every file that a run is read from, those that are not there included.

    Of a run without scores its logs and history are among them. None where one changed just now, or
    will have changed by its time: it may change again and look the same. To be taken before the
    files are read.
    """
    return _stamp(list(_seen(folder)))


def stamp_of_files(paths: Iterable[str]) -> str | None:
    """The same of these files."""
    return _stamp([_of_file(path) for path in paths])


def _stamp(seen: Sequence[tuple[int, int]]) -> str | None:
    newest = max((time_ns for time_ns, _ in seen), default=0)
    if newest > time.time_ns() - TICK_NANOSECONDS:
        return None
    return " ".join(f"{time_ns:x}.{size:x}" for time_ns, size in seen)


def _seen(folder: str) -> Iterator[tuple[int, int]]:
    for name in FILES:
        yield _of_file(f"{folder}/{name}")
    if not os.path.exists(f"{folder}/metrics.json"):
        logs = sorted(name for name in _names_in(folder) if name.endswith(".log"))
        for name in ("history.csv", *logs):
            yield _of_file(f"{folder}/{name}")


def _of_file(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return 0, -1
    return found.st_mtime_ns, found.st_size


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
