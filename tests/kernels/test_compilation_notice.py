"""The notice about compiled kernels appears where a kernel is compiled, and only there."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest
from rich.console import Console

from nerfloss.kernels.numba.compilation_notice import MESSAGE, compilation_notice

PROGRAM = """
import logging
logging.basicConfig(level=logging.INFO, format="%(message)s")
import torch
from nerfloss.kernels.directions import unit
from nerfloss.kernels.numba.compilation_notice import compilation_notice
with compilation_notice():
    for _ in range(2):
        print(float(unit(torch.tensor([[3.0, 0.0, 4.0]])).sum()))
"""


def test_a_cold_cache_is_announced_once_and_a_warm_one_not_at_all(tmp_path: Path) -> None:
    logged = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert [float(line) for line in done.stdout.split()] == pytest.approx([1.4, 1.4])
        logged.append(done.stderr.count(MESSAGE))
    assert logged == [1, 0]


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_only(terminal: bool) -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=100)
    with compilation_notice(console):
        assert numba.njit(lambda x: x + 1)(1) == 2
    assert (MESSAGE in text.getvalue()) == terminal


def test_a_compilation_that_fails_ends_the_display() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100)
    with compilation_notice(console), pytest.raises(numba.TypingError):
        numba.njit(lambda x: x.missing)(1)
    show_cursor = "\x1b[?25h"
    assert show_cursor in text.getvalue()
