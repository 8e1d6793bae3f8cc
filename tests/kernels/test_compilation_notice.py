"""The notice about compiled kernels appears where a kernel is compiled, and only there."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numba
import pytest
from rich.console import Console

from nerfloss.kernels.numba.compilation_notice import MESSAGE, compilation_notice
from nerfloss.training.timer import Timer

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


def test_a_timer_excludes_what_is_compiled_and_counts_the_rest() -> None:
    now, compilations = {"wall": 0.0}, []
    timer = Timer({"wall": lambda: now["wall"]})

    @contextmanager
    def during() -> Iterator[None]:
        with timer.paused():
            now["wall"] += 10.0
            compilations.append(now["wall"])
            yield

    inner = numba.njit(lambda x: x + 1)
    outer = numba.njit(lambda x: inner(x) + 1)  # compiles the inner one, too: once is counted
    with timer.running(), compilation_notice(Console(file=io.StringIO()), during=during):
        for argument in (1, 2, 1.5):
            now["wall"] += 0.25
            assert outer(argument) == argument + 2
    assert compilations == [10.25, 20.75]
    assert timer.read("wall") == 0.75


def test_a_compilation_that_fails_is_excluded_and_the_timer_goes_on() -> None:
    timer = Timer()
    with timer.running(), compilation_notice(Console(file=io.StringIO()), during=timer.paused):
        with pytest.raises(numba.TypingError):
            numba.njit(lambda x: x.missing)(1)
        before = timer.read("wall")
        time.sleep(0.01)
        assert timer.read("wall") > before
