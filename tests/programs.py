"""Run the two programs as a user does, and read the scores that they leave."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def program(*words, succeeds=True):
    """Run a program of ours; what it printed."""
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    said = done.stdout + done.stderr
    assert (done.returncode == 0) == succeeds, said
    return said


def scores(folder):
    found = json.loads((folder / "metrics.json").read_text())
    return {name: value for name, value in found.items() if isinstance(value, float)}
