"""Jobs in the hands of machines that may be lost: which run, which are tried again, how each ended.

A job that meets an error of its own has ended: it would meet it again. A job that is lost with
its machine (the worker died, was preempted, ran into a time limit) is tried again, and goes on
from its last checkpoint.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from nerfloss.experiments.launchers.pickled_job import JobResult

Handle = TypeVar("Handle", bound=Hashable)
log = logging.getLogger(__name__)
AT_A_TIME = 100  # sent together


class Lost(Exception):
    """A job ended and nobody can say how: what ran it is gone."""


@runtime_checkable
class Sendable(Protocol):
    """What can be sent elsewhere: an errand, or anything that has a name and tells how it ended."""

    @property
    def name(self) -> str: ...

    def __call__(self) -> JobResult: ...


@runtime_checkable
class Engine(Protocol[Handle]):
    """Runs jobs elsewhere. ``room`` is how many it takes at a time."""

    room: int

    def submit(self, jobs: Sequence[Sendable]) -> Sequence[Handle]:
        """Begin some, or queue them."""
        ...

    def ended(self, handles: Collection[Handle]) -> Collection[Handle]:
        """Wait until at least one of these is no longer running; which."""
        ...

    def told(self, handle: Handle) -> JobResult:
        """How one ended. Raises Lost."""
        ...

    def cancel(self, handles: Collection[Handle]) -> None:
        """Ask these to stop, and wait a little for them to save where they are."""
        ...


def carry_out(
    engine: Engine[Handle],
    make: Callable[[int], Sendable],
    count: int,
    *,
    retries: int,
    received: Callable[[str, JobResult], JobResult] = lambda _, told: told,
) -> list[JobResult]:
    """Run ``make(0)`` to ``make(count - 1)`` to their ends; how each ended, in order.

    ``received`` is called with a job's name and what came back, as soon as it did, and may replace
    the latter. Jobs are made as they are sent: thousands of composed configurations are large.
    """
    waiting = deque((number, 0) for number in range(count))
    running: dict[Handle, tuple[int, int, str]] = {}
    found: dict[int, JobResult] = {}
    try:
        while waiting or running:
            while waiting and len(running) < engine.room:
                some = min(engine.room - len(running), len(waiting), AT_A_TIME)
                batch = [waiting.popleft() for _ in range(some)]
                jobs = [make(number) for number, _ in batch]
                for handle, job, sent in zip(engine.submit(jobs), jobs, batch, strict=True):
                    running[handle] = (*sent, job.name)
            for handle in engine.ended(running):
                number, lost, name = running.pop(handle)
                try:
                    found[number] = received(name, engine.told(handle))
                except Lost as error:
                    if lost < retries:
                        log.warning("%s was lost (%s) and is tried again", name, error)
                        waiting.append((number, lost + 1))
                        continue
                    often = f"{lost + 1} times, the last: " if lost else ""
                    found[number] = JobResult(error=("Lost", f"{often}{error}"))
                ended = "failed" if found[number].error else "done"
                log.info("%d of %d: %s %s", len(found), count, name, ended)
    except BaseException:
        engine.cancel(running)
        raise
    return [found[number] for number in range(count)]
