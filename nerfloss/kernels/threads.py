"""Compiled loops spread over threads.

The threads are plain ones, since the loops release the interpreter's lock. They compile faster than
numba's parallel loops and bring no second OpenMP into the process; what ``torch.get_num_threads()``
says goes for them too. torch's own threads spin for a while after each of its operations, which
slows these down: programs should set ``OMP_WAIT_POLICY=PASSIVE`` before they import torch.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from typing import TypeVar

import torch

Result = TypeVar("Result")


def run(tasks: Iterable[Callable[[], None]]) -> None:
    """Work through tasks on as many threads as torch uses, this one included."""
    tasks = list(tasks)
    threads = min(torch.get_num_threads(), len(tasks))
    queue = iter(tasks)

    def work() -> None:
        for task in queue:
            task()

    if threads <= 1:
        return work()
    pool = _pool(os.getpid(), torch.get_num_threads() - 1)
    others = [pool.submit(work) for _ in range(threads - 1)]
    work()
    for other in others:
        # All is taken: a thread that had other things to do need not come any more.
        if not other.cancel():
            other.result()
    return None


def submit(task: Callable[[], Result], *, inline: bool = False) -> "Future[Result]":
    """Begin a task on another thread if torch uses more than one; run it ``inline`` otherwise."""
    threads = torch.get_num_threads()
    if threads > 1 and not inline:
        return _pool(os.getpid(), threads - 1).submit(task)
    done: Future[Result] = Future()
    done.set_result(task())
    return done


def parallel_for(
    count: int, loop: Callable[[int, int], None], *, least: int = 65536, block: int = 256
) -> None:
    """Run ``loop(begin, end)`` on equal shares of ``count`` items.

    No share is smaller than ``least``: waking a thread would take longer. Shares are whole blocks,
    so that vector and remainder loops meet the same items, and round them the same, however many
    threads there are.
    """
    threads = torch.get_num_threads()
    # More than there are threads: one may come late, from the next step's beginning.
    shares = max(1, min(2 * threads if threads > 1 else 1, count // least))
    size = -(-count // (shares * block)) * block
    run(partial(loop, begin, min(begin + size, count)) for begin in range(0, count, max(size, 1)))


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:  # noqa: ARG001
    """Threads beside the calling one. A forked process has lost its parent's and gets its own."""
    return ThreadPoolExecutor(threads, thread_name_prefix="nerfloss")
