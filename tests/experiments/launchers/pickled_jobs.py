"""Errands for tests of launchers: what a worker does instead of a run, pickled by value."""

from collections.abc import Callable
from pathlib import Path

from nerfloss.experiments.launchers.pickled_job import JobResult


def job(name: str, do: Callable[[], object]) -> Callable[[], JobResult]:
    """A job that does something, and tells its value or the error that it met."""

    def run() -> JobResult:
        try:
            return JobResult(do())
        except ValueError as error:
            return JobResult(error=("ValueError", str(error)))

    run.name = name  # type: ignore[attr-defined]
    return run


def killed(name: str, marks: Path, times: int) -> Callable[[], JobResult]:
    """A job whose process is killed the first few times; its value is how often it began."""

    def work() -> int:
        import os
        import signal

        begun = len(list(marks.glob(f"{name}-*")))
        (marks / f"{name}-{begun}").touch()
        if begun < times:
            os.kill(os.getpid(), signal.SIGKILL)
        return begun + 1

    return job(name, work)


def failing(name: str, marks: Path) -> Callable[[], JobResult]:
    """A job that meets an error of its own, and notes each time."""

    def work() -> None:
        (marks / f"{name}-{len(list(marks.glob(f'{name}-*')))}").touch()
        raise ValueError("a weight is negative")

    return job(name, work)
