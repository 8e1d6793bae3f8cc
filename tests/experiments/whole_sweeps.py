"""Sweeps as a user starts them: train.py in a process of its own, with runs of a few steps."""

import subprocess
import sys
from pathlib import Path

from small_runs import tiny

ROOT = Path(__file__).resolve().parent.parent.parent
QUICK = [*tiny(), "eval.images=false", "eval.geometry={}"]


def start(*words: str) -> subprocess.Popen:
    """``python train.py <words>``."""
    command = [sys.executable, "train.py", *words]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
