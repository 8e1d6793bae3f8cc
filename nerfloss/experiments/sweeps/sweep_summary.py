"""Summary of a sweep: list of jobs, failures, and the command that resumes it."""

import contextlib
import json
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

FILE = "sweep.json"


def resume_command(folder: Path, arguments: Sequence[str] | None = None) -> str:
    """Return the command that resumes the sweep in ``folder``; ``arguments`` as typed."""
    typed = sys.argv if arguments is None else arguments
    words = [word for word in typed if not word.startswith("hydra.sweep.dir=")]
    clone = Path(words[0]).name == "train.py"
    command = ["python", words[0]] if clone else ["nerfloss", "train"]
    return shlex.join([*command, *words[1:], f"hydra.sweep.dir={folder}"])


def write_jobs(folder: Path, jobs: Mapping[str, Sequence[str]]) -> None:
    """Add jobs to sweep.json, overrides by folder."""
    path = folder / FILE
    content: dict[str, Any] = {
        "command": resume_command(folder),
        "jobs": {**_listed_jobs(path), **jobs},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, default=list) + "\n")


@contextlib.contextmanager
def report_failures(folder: Path, failures: Mapping[Path, str], of: str) -> Iterator[None]:
    """Run a sweep in the ``with`` block, print its failures, and set the exit status.

    SystemExit 1 with every error if jobs failed, 130 with the command to resume if the sweep was
    interrupted; SIGTERM between two jobs counts as Ctrl-C.
    """
    main = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler) if main else None
    try:
        yield
    except KeyboardInterrupt:
        if failures:
            print(failed_jobs(failures, of, folder), file=sys.stderr)
        print(f"the sweep was stopped; go on with: {resume_command(folder)}", flush=True)
        raise SystemExit(130) from None
    finally:
        if main:
            signal.signal(signal.SIGTERM, previous)
    if failures:
        print(failed_jobs(failures, of, folder), file=sys.stderr)
        raise SystemExit(1)


def failed_jobs(failures: Mapping[Path, str], of: str, folder: Path) -> str:
    """Return the message of a sweep with failed jobs."""
    lines = [
        f"  {path.relative_to(folder)}: {_first_lines(error)}" for path, error in failures.items()
    ]
    return "\n".join(
        [
            f"{len(failures)} of {of} failed:",
            *lines,
            f"Configuration (.hydra) and log of each are in its folder below {folder}.",
            f"To repeat only these: {resume_command(folder)}",
        ]
    )


def _listed_jobs(path: Path) -> Mapping[str, Any]:
    try:
        return json.loads(path.read_text())["jobs"]
    except (FileNotFoundError, ValueError, KeyError):
        return {}


def _first_lines(error: str, most: int = 6) -> str:
    """Return the first lines of an error, indented."""
    lines = error.strip().splitlines() or ["no reason given"]
    more = ["..."] if len(lines) > most else []
    return "\n    ".join([*lines[:most], *more])
