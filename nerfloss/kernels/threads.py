"""Compiled loops on several threads, beside torch's own operations on one.

Plain threads serve, since the loops release the GIL: they compile faster than numba's parallel
loops and add no second OpenMP runtime to the process. Their number is ``torch.get_num_threads()``,
or what that was outside of `torch_threads`. torch's own threads spin for a while after each of its
operations, which slows these down: programs should set ``OMP_WAIT_POLICY=PASSIVE`` before they
import torch.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from typing import TypeVar

import torch

Result = TypeVar("Result")
# The number of threads of loops in each of the open `torch_threads`.
_loop_threads: list[int] = []


def run_tasks(tasks: Iterable[Callable[[], None]]) -> None:
    """Run tasks on as many threads as loops have, the calling one included."""
    tasks = list(tasks)
    threads = min(loop_threads(), len(tasks))
    queue = iter(tasks)

    def work() -> None:
        for task in queue:
            task()

    if threads <= 1:
        return work()
    pool = _pool(os.getpid(), loop_threads() - 1)
    others = [pool.submit(work) for _ in range(threads - 1)]
    work()
    for other in others:
        # The queue is empty: a worker that has not started yet is not waited for.
        if not other.cancel():
            other.result()
    return None


def submit(task: Callable[[], Result], *, inline: bool = False) -> "Future[Result]":
    """Start a task on another thread; with one thread, or ``inline``, run it before returning."""
    threads = loop_threads()
    if threads > 1 and not inline:
        return _pool(os.getpid(), threads - 1).submit(task)
    done: Future[Result] = Future()
    done.set_result(task())
    return done


def parallel_for(
    count: int, loop: Callable[[int, int], None], *, least: int = 65536, block: int = 256
) -> None:
    """Run ``loop(begin, end)`` on ranges that cover ``count`` items.

    No range is smaller than ``least``, below which waking a thread takes longer. Ranges are
    multiples of ``block``, so that vectorised and remainder loops meet the same items, and round
    them the same, for any number of threads.
    """
    threads = loop_threads()
    # Two ranges per thread: one thread may be late, since it also prepares the next step.
    ranges = max(1, min(2 * threads if threads > 1 else 1, count // least))
    size = -(-count // (ranges * block)) * block
    run_tasks(
        partial(loop, begin, min(begin + size, count)) for begin in range(0, count, max(size, 1))
    )


@contextmanager
def torch_threads(number: int | None) -> Iterator[None]:
    """Run torch's own operations on at most so many threads. Loops keep theirs.

    One thread is best where operations are small, as in a training step: waking others for each
    takes longer than what they save. It also rounds the same for any number of cores: torch divides
    a tensor among its threads, and an item's last digit can depend on whether it lies in the
    vectorised part of a division or in its remainder.
    """
    torchs, loops = torch.get_num_threads(), loop_threads()
    _loop_threads.append(loops)
    try:
        # Clamped: torch starts as many threads as it is told.
        torch.set_num_threads(torchs if number is None else min(number, torchs))
        yield
    finally:
        torch.set_num_threads(torchs)
        _loop_threads.pop()


def loop_threads() -> int:
    """Return the number of threads of compiled loops."""
    # A slice, since another thread may leave `torch_threads` meanwhile.
    return (_loop_threads[-1:] or [torch.get_num_threads()])[0]


def _start_with_one() -> None:
    torch.set_num_threads(1)
    # A thread's first question takes over what was last set by any thread.
    torch.get_num_threads()


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:  # noqa: ARG001
    """Return the worker threads of a process: a forked one does not inherit its parent's.

    In each of them torch's own operations have one thread. All are started at once: what one sets
    is the number of every thread that begins with torch later, until the caller sets its own again.
    """
    before, started = torch.get_num_threads(), threading.Barrier(threads + 1)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="nerfloss", initializer=_start_with_one)
    try:
        for _ in range(threads):
            pool.submit(started.wait)
        started.wait()
    except BaseException:  # e.g. no more threads are allowed: those that wait must end
        started.abort()
        raise
    finally:
        torch.set_num_threads(before)
    return pool
