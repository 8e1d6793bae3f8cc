"""The launcher ``submitit``: jobs in a SLURM queue, or as processes of this machine.

The published plugin hydra-submitit-launcher 1.2.0 does not retry, and the first lost job hides the
results of the following ones.
"""

import os
import shutil
import signal
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from nerfloss.experiments.launchers.pickled_job import JobResult
from nerfloss.experiments.launchers.remote_launcher import RemoteLauncher, without_none
from nerfloss.experiments.launchers.retry_loop import Job, JobLost

FOLDER = ".submitit"  # in the sweep's folder: pickled jobs, results, and the output of jobs
SLURM, LOCAL = "slurm", "local"
MAX_QUEUED = 1000  # a common limit per user of SLURM
SECONDS_TO_SAVE = 120
POLL_SECONDS = {SLURM: 5.0, LOCAL: 0.2}


class SubmititLauncher(RemoteLauncher):
    """Runs jobs with ``cpus``, ``gpus``, ``memory_gb`` and ``minutes`` each, ``jobs`` in parallel.

    ``cluster`` is "slurm", "local" (processes of this machine, each with its own GPUs), or None:
    SLURM if available. ``slurm``: further parameters of sbatch, by submitit's names.
    """

    def __init__(
        self,
        cluster: str | None = None,
        jobs: int | None = None,
        cpus: int = 1,
        gpus: int = 0,
        memory_gb: int | float | None = None,
        minutes: int = 240,
        retries: int = 2,
        slurm: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(retries=retries, cpus=cpus)
        if cluster not in (None, SLURM, LOCAL):
            raise ValueError(f"hydra.launcher.cluster={cluster}: choose from {SLURM}, {LOCAL}")
        self.cluster = cluster or (SLURM if shutil.which("srun") else LOCAL)
        self.jobs, self.gpus, self.memory_gb = jobs, gpus, memory_gb
        self.minutes, self.slurm = minutes, without_none(slurm)

    def require(self) -> None:
        """Raise ImportError if submitit is not installed."""
        _submitit()

    @contextmanager
    def engine(self, folder: Path) -> Iterator["SlurmEngine | LocalEngine"]:
        """Return the queue."""
        if self.cluster == LOCAL:
            at_once = self.jobs or max(1, (os.cpu_count() or 1) // self.cpus)
            yield LocalEngine(_new_folder(folder), at_once, self.minutes, self.gpus, self.retries)
        else:
            at_once = self.jobs or MAX_QUEUED
            yield SlurmEngine(_new_folder(folder), at_once, self.sbatch_parameters(), self.retries)

    def sbatch_parameters(self) -> dict[str, Any]:
        """Return the parameters of sbatch, by submitit's names."""
        asked: dict[str, Any] = {"time": self.minutes, "cpus_per_task": self.cpus}
        asked |= {"gpus_per_node": self.gpus} if self.gpus else {}
        asked |= {"mem": f"{self.memory_gb:g}GB"} if self.memory_gb is not None else {}
        return {"signal_delay_s": SECONDS_TO_SAVE, **asked, **self.slurm}


class _Queue:
    """Base of both queues: polling, and reading results."""

    seconds: float

    def wait(self, handles: Collection[Any]) -> Collection[Any]:
        """Poll until a job has ended."""
        while not (ended := [handle for handle in handles if handle.done()]):
            time.sleep(self.seconds)
        return ended

    def result(self, handle: Any) -> JobResult:
        """Return the result. Raises JobLost if the job left none."""
        errors = _submitit().core.utils
        try:
            return handle.result()
        except errors.FailedJobError as error:  # outside of the run, e.g. unpickling
            return JobResult(error=("FailedJobError", str(error).strip().splitlines()[-1]))
        except errors.UncompletedJobError:
            raise JobLost(f"job {handle.job_id} left no result: {handle.state.lower()}") from None

    def cancel(self, handles: Collection[Any]) -> None:
        """Cancel the jobs, and wait up to two minutes for them to save."""
        for handle in handles:
            handle.cancel(check=False)
        until = time.monotonic() + SECONDS_TO_SAVE
        while time.monotonic() < until and not all(handle.done() for handle in handles):
            time.sleep(self.seconds)


class SlurmEngine(_Queue):
    """Submits job arrays; SLURM requeues preempted and timed-out jobs itself."""

    seconds = POLL_SECONDS[SLURM]

    def __init__(self, folder: Path, at_once: int, asked: Mapping[str, Any], retries: int) -> None:
        self.capacity = at_once
        self.executor = _submitit().SlurmExecutor(folder, max_num_timeout=retries)
        self.executor.update_parameters(**asked)

    def submit(self, jobs: Sequence[Job]) -> Sequence[Any]:
        """Submit one array."""
        with self.executor.batch():
            return [self.executor.submit(PreemptibleJob(job)) for job in jobs]


class LocalEngine(_Queue):
    """Runs jobs as processes of this machine; the k-th parallel job has the k-th GPUs."""

    seconds = POLL_SECONDS[LOCAL]

    def __init__(self, folder: Path, at_once: int, minutes: int, gpus: int, retries: int) -> None:
        self.capacity, self.gpus = at_once, gpus
        self.executor = _submitit().LocalExecutor(folder, max_num_timeout=retries)
        self.executor.update_parameters(timeout_min=minutes, signal_delay_s=SECONDS_TO_SAVE)
        self.slots: dict[Any, int] = {}

    def submit(self, jobs: Sequence[Job]) -> Sequence[Any]:
        """Start a process for each job."""
        return [self._start(job) for job in jobs]

    def result(self, handle: Any) -> JobResult:
        """Return the result, and free the job's GPUs."""
        self.slots.pop(handle, None)
        return super().result(handle)

    def _start(self, job: Job) -> Any:
        slot = next(k for k in range(self.capacity) if k not in self.slots.values())
        own = tuple(range(slot * self.gpus, (slot + 1) * self.gpus))
        self.executor.update_parameters(gpus_per_node=self.gpus, visible_gpus=own)
        handle = self.executor.submit(PreemptibleJob(job))
        self.slots[handle] = slot
        return handle


@dataclass(frozen=True)
class PreemptibleJob:
    """A job that saves a checkpoint before it is requeued.

    The scheduler's signal before the time limit is turned into SIGTERM, at which a run finishes its
    step and writes a checkpoint. submitit then requeues the job, which resumes.
    """

    job: Job

    def __call__(self) -> JobResult:
        requeue, signals = signal.getsignal(signal.SIGUSR2), []

        def stop(number: int, _: Any) -> None:
            signals.append(number)
            os.kill(os.getpid(), signal.SIGTERM)

        signal.signal(signal.SIGUSR2, stop)
        try:
            return self.job()
        except KeyboardInterrupt:
            if signals and callable(requeue):
                requeue(signals[0], None)  # does not return
            raise
        finally:
            signal.signal(signal.SIGUSR2, requeue)

    def checkpoint(self) -> Any:
        """Return the job that submitit runs next."""
        return _submitit().helpers.DelayedSubmission(self)


def _new_folder(sweep: Path) -> Path:
    """Return a new folder for one launch, so that no result is read that lay there before.

    Results are pickles, whose names are the numbers of jobs; the sweep's folder may be anyone's.
    """
    (sweep / FOLDER).mkdir(parents=True, exist_ok=True)
    return Path(mkdtemp(prefix=time.strftime("%Y-%m-%d_%H-%M-%S_"), dir=sweep / FOLDER))


def _submitit() -> Any:
    try:
        import submitit
    except ImportError:
        raise ImportError(
            "hydra/launcher=submitit needs the package submitit: pip install 'nerfloss[submitit]'"
        ) from None
    return submitit
