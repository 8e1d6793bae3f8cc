"""Parallel loops process every item once, and raise the errors of their threads."""

import subprocess
import sys

import pytest
import torch

from nerfloss.kernels.threads import loop_threads, parallel_for, run_tasks, submit, torch_threads


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 100_003])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_item_is_done_once(count: int, threads: int) -> None:
    before = torch.get_num_threads()
    done = torch.zeros(count, dtype=torch.int64)

    def add(begin: int, end: int) -> None:
        done[begin:end] += 1

    try:
        torch.set_num_threads(threads)
        parallel_for(count, add, least=10)
    finally:
        torch.set_num_threads(before)
    assert (done == 1).all()


def test_an_error_in_another_thread_is_raised_here() -> None:
    def fail() -> None:
        raise ValueError("broken task")

    with pytest.raises(ValueError, match="broken task"):
        run_tasks([fail] * 4)


def test_a_thread_that_cannot_be_started_is_an_error_and_no_hang() -> None:
    program = """
import threading, torch
from nerfloss.kernels import threads
begin, started = threading.Thread.start, []
def start(self):
    started.append(self)
    if len(started) == 2:
        raise RuntimeError("can't start new thread")
    begin(self)
threading.Thread.start = start
torch.set_num_threads(3)
try:
    threads.run_tasks([print] * 4)
except RuntimeError as error:
    print(error, torch.get_num_threads())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert done.stdout.decode().split("\n")[-2] == "can't start new thread 3", done.stderr


@pytest.mark.parametrize("number", [-1, 1.5])
def test_a_number_that_torch_refuses_leaves_no_trace(number: float) -> None:
    before = torch.get_num_threads()
    with pytest.raises((ValueError, RuntimeError, TypeError)), torch_threads(number):
        pass
    assert (torch.get_num_threads(), loop_threads()) == (before, before)


def test_torch_has_its_own_number_of_threads_for_a_while() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with torch_threads(1), torch_threads(None):
            assert (torch.get_num_threads(), loop_threads()) == (1, 3)
        with torch_threads(200_000):
            assert (torch.get_num_threads(), loop_threads()) == (3, 3)
        with torch_threads(1):
            assert submit(torch.get_num_threads).result() == 1
        with pytest.raises(ValueError, match="broken step"), torch_threads(2):
            raise ValueError("broken step")
        assert (torch.get_num_threads(), loop_threads()) == (3, 3)
        assert submit(torch.get_num_threads).result() == 1
    finally:
        torch.set_num_threads(before)
