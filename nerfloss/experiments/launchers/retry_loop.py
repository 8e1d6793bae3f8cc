"""Retry loop for jobs on workers that may be lost.

A job that fails with an error has ended. A job that is lost with its worker (killed, preempted,
out of time) is submitted again, and continues from its last checkpoint.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from nerfloss.experiments.launchers.pickled_job import JobResult

Handle = TypeVar("Handle", bound=Hashable)
log = logging.getLogger(__name__)
MAX_BATCH = 100  # jobs submitted together


class JobLost(Exception):
    """The worker of a job is gone, and with it the result."""


@runtime_checkable
class Job(Protocol):
    """A job that can be pickled and called on a worker."""

    @property
    def name(self) -> str: ...

    def __call__(self) -> JobResult: ...


@runtime_checkable
class Engine(Protocol[Handle]):
    """Runs jobs on workers, at most ``capacity`` at a time."""

    capacity: int

    def submit(self, jobs: Sequence[Job]) -> Sequence[Handle]:
        """Start or queue jobs."""
        ...

    def wait(self, handles: Collection[Handle]) -> Collection[Handle]:
        """Wait until at least one job has ended; return those that have."""
        ...

    def result(self, handle: Handle) -> JobResult:
        """Return the result of an ended job. Raises JobLost."""
        ...

    def cancel(self, handles: Collection[Handle]) -> None:
        """Ask jobs to stop, and give them time to save a checkpoint."""
        ...


def run_with_retries(
    engine: Engine[Handle],
    make_job: Callable[[int], Job],
    count: int,
    *,
    retries: int,
    on_result: Callable[[str, JobResult], JobResult] = lambda _, result: result,
) -> list[JobResult]:
    """Run ``make_job(0)`` to ``make_job(count - 1)``; return their results in order.

    ``on_result`` is called with the name and the result of each job when it ends, and returns the
    result to keep. Jobs are made when they are submitted: composed configurations are large.
    """
    waiting = deque((number, 0) for number in range(count))
    running: dict[Handle, tuple[int, int, str]] = {}
    results: dict[int, JobResult] = {}
    try:
        while waiting or running:
            while waiting and len(running) < engine.capacity:
                size = min(engine.capacity - len(running), len(waiting), MAX_BATCH)
                batch = [waiting.popleft() for _ in range(size)]
                jobs = [make_job(number) for number, _ in batch]
                for handle, job, sent in zip(engine.submit(jobs), jobs, batch, strict=True):
                    running[handle] = (*sent, job.name)
            for handle in engine.wait(running):
                number, losses, name = running.pop(handle)
                try:
                    results[number] = on_result(name, engine.result(handle))
                except JobLost as error:
                    if losses < retries:
                        log.warning("%s was lost (%s) and is submitted again", name, error)
                        waiting.append((number, losses + 1))
                        continue
                    times = f"{losses + 1} times, the last: " if losses else ""
                    results[number] = JobResult(error=("JobLost", f"{times}{error}"))
                status = "failed" if results[number].error else "done"
                log.info("%d of %d: %s %s", len(results), count, name, status)
    except BaseException:
        engine.cancel(running)
        raise
    return [results[number] for number in range(count)]
