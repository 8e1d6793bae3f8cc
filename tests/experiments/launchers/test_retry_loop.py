"""Jobs on machines that may be lost: which are tried again, and what is said of the others."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pytest
from pickled_jobs import job

from nerfloss.experiments.launchers.pickled_job import JobResult
from nerfloss.experiments.launchers.retry_loop import JobLost, run_with_retries


@dataclass
class Machine:
    """Runs a job when it is looked at; loses those in ``losing`` so many times."""

    capacity: int = 2
    losing: dict[str, int] = field(default_factory=dict)
    jobs: list = field(default_factory=list)
    cancelled: list = field(default_factory=list)
    most: int = 0

    def submit(self, pickled_jobs: Sequence) -> Sequence[int]:
        self.jobs += pickled_jobs
        return range(len(self.jobs) - len(pickled_jobs), len(self.jobs))

    def wait(self, handles: Collection[int]) -> Collection[int]:
        self.most = max(self.most, len(handles))
        return [max(handles)]  # the last first: results come in any order

    def result(self, handle: int) -> JobResult:
        job = self.jobs[handle]
        if self.losing.get(job.name, 0) > 0:
            self.losing[job.name] -= 1
            raise JobLost("the worker died")
        return job()

    def cancel(self, handles: Collection[int]) -> None:
        self.cancelled = sorted(self.jobs[handle].name for handle in handles)


def broken() -> None:
    raise ValueError("a weight is negative")


def results(machine: Machine, jobs: Sequence, retries: int = 2) -> list[JobResult]:
    return run_with_retries(machine, jobs.__getitem__, len(jobs), retries=retries)


def test_results_are_in_the_order_of_the_jobs_whichever_ends_first():
    jobs = [job(str(number), lambda number=number: 10 * number) for number in range(7)]
    machine = Machine(capacity=3)
    assert [result.value for result in results(machine, jobs)] == [0, 10, 20, 30, 40, 50, 60]
    assert machine.most == 3, "no more at a time than there is capacity for"


def test_a_lost_job_is_tried_again_and_its_neighbours_are_not(caplog):
    machine = Machine(losing={"a": 2})
    result = results(machine, [job("a", lambda: 1), job("b", lambda: 2)])
    assert [each.value for each in result] == [1, 2]
    assert [job.name for job in machine.jobs].count("a") == 3
    assert [job.name for job in machine.jobs].count("b") == 1
    assert "a was lost (the worker died) and is submitted again" in caplog.text


def test_a_job_that_is_lost_too_often_is_reported_and_the_others_end():
    machine = Machine(losing={"a": 9})
    lost, done = results(machine, [job("a", lambda: 1), job("b", lambda: 2)], retries=1)
    assert lost.error == ("JobLost", "2 times, the last: the worker died")
    assert done.value == 2


def test_a_job_that_fails_by_its_own_error_is_not_tried_again():
    machine = Machine()
    failed, done = results(machine, [job("a", broken), job("b", lambda: 2)])
    assert failed.error == ("ValueError", "a weight is negative")
    assert done.value == 2
    assert [job.name for job in machine.jobs] == ["a", "b"]


def test_a_failure_reaches_the_sweeper_as_an_error_of_its_own_kind():
    failed = JobResult(error=("NonFiniteLoss", "rgb is nan")).as_return(["seed=0"])
    with pytest.raises(RuntimeError, match="rgb is nan"):
        _ = failed.return_value
    assert type(failed._return_value).__name__ == "NonFiniteLoss"


def test_ctrl_c_cancels_what_is_under_way():
    def stop() -> None:
        raise KeyboardInterrupt

    machine = Machine(capacity=3)
    jobs = [job("a", lambda: 1), job("b", lambda: 2), job("c", stop)]
    with pytest.raises(KeyboardInterrupt):
        results(machine, jobs)
    assert machine.cancelled == ["a", "b"]
