"""Run train.py, eval.py and other programs in processes of their own, and read their scores."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def program(*words, succeeds=True):
    """Run ``python <words>`` in the root of the repository; return stdout and stderr.

    The terminal is wide, so that no line is broken.
    """
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "400"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    printed = done.stdout + done.stderr
    assert (done.returncode == 0) == succeeds, printed
    return printed


def scores(folder):
    """Return the numbers in the metrics.json of a run or an evaluation."""
    content = json.loads((folder / "metrics.json").read_text())
    return {name: value for name, value in content.items() if isinstance(value, float)}
