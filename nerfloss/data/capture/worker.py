"""Run structure from motion in a process of its own, and pass on its progress."""

import importlib.util
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from nerfloss.data.errors import DataError

Progress = Callable[[str, int, int], None]
# The stages of a capture, as they are shown.
STAGES = {
    "frames": "frames of the video",
    "images": "images of the scene",
    "copies": "copies to search features in",
    "features": "features",
    "matching": "pairs of views",
    "cameras": "registered views",
    "masks": "masks",
}
MODULE = "nerfloss.data.capture.structure_from_motion"


def check_pycolmap() -> None:
    """Raise ModuleNotFoundError, which names the extra, if pycolmap is not installed."""
    if importlib.util.find_spec("pycolmap") is None:
        raise ModuleNotFoundError(
            "structure from motion is done by pycolmap, which is not installed: "
            "pip install 'nerfloss[capture]'",
            name="pycolmap",
        )


def run_worker(job: Path, progress: Progress, command: Sequence[str] | None = None) -> None:
    """Run a job to its end; the process is ended if this one is, or if it is interrupted.

    Raises DataError, with the end of its output, if it fails.
    """
    words = [*(command or [sys.executable, "-m", MODULE]), str(job)]
    log = job.with_name("log.txt")
    with open(log, "w") as errors:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=_environment(),
        )
        try:
            for line in process.stdout or ():
                _pass_on(line, progress)
            status = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()
    if status:
        found = f"structure from motion failed (exit status {status}): {_end_of(log)}"
        remedy = "run the command again, it continues; if it fails at once, delete the folder"
        raise DataError(job.parent, found, f"{remedy} and lower --max-size or --threads")


def _environment() -> dict[str, str]:
    """Return this environment, with the paths from which this process imports."""
    paths = [path for path in sys.path if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _pass_on(line: str, progress: Progress) -> None:
    try:
        told = json.loads(line)
        progress(told["stage"], told["done"], told["total"])
    except (ValueError, KeyError, TypeError):  # a line that a library has printed
        return


def _end_of(log: Path) -> str:
    with open(log, errors="replace") as lines:
        last = deque((line.strip() for line in lines if line.strip()), maxlen=3)
    return " / ".join(last) or "no message"
