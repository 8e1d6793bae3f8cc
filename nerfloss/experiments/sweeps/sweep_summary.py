"""What a sweep leaves behind and says at its end: its list of jobs, its failures, how to go on."""

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


def go_on_with(folder: Path, arguments: Sequence[str] | None = None) -> str:
    """The command that goes on with the sweep in ``folder``; ``arguments`` as typed."""
    typed = sys.argv if arguments is None else arguments
    words = [word for word in typed if not word.startswith("hydra.sweep.dir=")]
    clone = Path(words[0]).name == "train.py"
    command = ["python", words[0]] if clone else ["nerfloss", "train"]
    return shlex.join([*command, *words[1:], f"hydra.sweep.dir={folder}"])


def write_jobs(folder: Path, jobs: Mapping[str, Sequence[str]]) -> None:
    """Note in sweep.json which jobs there are to be, overrides by folder, beside earlier ones."""
    path = folder / FILE
    content: dict[str, Any] = {"command": go_on_with(folder), "jobs": {**_noted(path), **jobs}}
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, default=list) + "\n")


@contextlib.contextmanager
def reported(folder: Path, failures: Mapping[Path, str], of: str) -> Iterator[None]:
    """Run a sweep in the ``with`` block: however it ends is said, and told by the exit code.

    SystemExit 1 with every error where jobs failed, 130 with the command to go on where somebody
    stopped it; SIGTERM between two jobs counts as Ctrl-C.
    """
    main = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler) if main else None
    try:
        yield
    except KeyboardInterrupt:
        if failures:
            print(failed_jobs(failures, of, folder), file=sys.stderr)
        print(f"the sweep was stopped; go on with: {go_on_with(folder)}", flush=True)
        raise SystemExit(130) from None
    finally:
        if main:
            signal.signal(signal.SIGTERM, previous)
    if failures:
        print(failed_jobs(failures, of, folder), file=sys.stderr)
        raise SystemExit(1)


def failed_jobs(failures: Mapping[Path, str], of: str, folder: Path) -> str:
    """The message of a sweep in which jobs failed."""
    lines = [
        f"  {path.relative_to(folder)}: {_first_lines(error)}" for path, error in failures.items()
    ]
    return "\n".join(
        [
            f"{len(failures)} of {of} failed:",
            *lines,
            f"Each has its configuration (.hydra) and its log in its folder below {folder}.",
            f"To run them again, and nothing that is finished: {go_on_with(folder)}",
        ]
    )


def _noted(path: Path) -> Mapping[str, Any]:
    try:
        return json.loads(path.read_text())["jobs"]
    except (FileNotFoundError, ValueError, KeyError):
        return {}


def _first_lines(error: str, most: int = 6) -> str:
    """An error's beginning, its further lines indented below the first."""
    lines = error.strip().splitlines() or ["no reason given"]
    more = ["..."] if len(lines) > most else []
    return "\n    ".join([*lines[:most], *more])
