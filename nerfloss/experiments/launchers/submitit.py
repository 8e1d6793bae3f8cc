"""The launcher ``submitit``: jobs in a SLURM queue, or as processes of this machine.

The published plugin hydra-submitit-launcher 1.2.0 reads its jobs' results in their order, so that
the first lost job hides what the others came to, and submits none of them again.
"""

import os
import shutil
import signal
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerfloss.experiments.launchers.pickled_job import JobResult
from nerfloss.experiments.launchers.remote_launcher import RemoteLauncher, given
from nerfloss.experiments.launchers.retry_loop import Lost, Sendable

FOLDER = ".submitit"  # in the sweep's: what is sent and comes back, and what jobs print
SLURM, LOCAL = "slurm", "local"
IN_ITS_QUEUE = 1000  # as many as SLURM commonly lets one user have
SECONDS_TO_SAVE = 120
SECONDS_BETWEEN_LOOKS = {SLURM: 5.0, LOCAL: 0.2}


class SubmititLauncher(RemoteLauncher):
    """Jobs of ``cpus``, ``gpus``, ``memory_gb`` and ``minutes`` each, ``jobs`` at once.

    ``cluster`` is "slurm", "local" (processes here, each with GPUs of its own), or None: SLURM
    where there is one. ``slurm`` holds more for sbatch, by submitit's names.
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
        self.minutes, self.slurm = minutes, given(slurm)

    def require(self) -> None:
        """Raise ImportError where submitit is not installed."""
        _submitit()

    @contextmanager
    def engine(self, folder: Path) -> Iterator["SlurmEngine | LocalEngine"]:
        """The queue."""
        if self.cluster == LOCAL:
            at_once = self.jobs or max(1, (os.cpu_count() or 1) // self.cpus)
            yield LocalEngine(folder / FOLDER, at_once, self.minutes, self.gpus, self.retries)
        else:
            at_once = self.jobs or IN_ITS_QUEUE
            yield SlurmEngine(folder / FOLDER, at_once, self.for_sbatch(), self.retries)

    def for_sbatch(self) -> dict[str, Any]:
        """What sbatch is asked for, by submitit's names."""
        asked: dict[str, Any] = {"time": self.minutes, "cpus_per_task": self.cpus}
        asked |= {"gpus_per_node": self.gpus} if self.gpus else {}
        asked |= {"mem": f"{self.memory_gb:g}GB"} if self.memory_gb is not None else {}
        return {"signal_delay_s": SECONDS_TO_SAVE, **asked, **self.slurm}


class _Queue:
    """What both kinds of queue have in common: how one waits, and how a job's end is read."""

    seconds: float

    def ended(self, handles: Collection[Any]) -> Collection[Any]:
        """Look at them until one has ended."""
        while not (ended := [handle for handle in handles if handle.done()]):
            time.sleep(self.seconds)
        return ended

    def told(self, handle: Any) -> JobResult:
        """What the job left; Lost where it left nothing."""
        errors = _submitit().core.utils
        try:
            return handle.result()
        except errors.FailedJobError as error:  # outside of the run: on its way there
            return JobResult(error=("FailedJobError", str(error).strip().splitlines()[-1]))
        except errors.UncompletedJobError:
            raise Lost(f"job {handle.job_id} left no result: {handle.state.lower()}") from None

    def cancel(self, handles: Collection[Any]) -> None:
        """Ask them to stop, and wait until they have."""
        for handle in handles:
            handle.cancel(check=False)
        until = time.monotonic() + SECONDS_TO_SAVE
        while time.monotonic() < until and not all(handle.done() for handle in handles):
            time.sleep(self.seconds)


class SlurmEngine(_Queue):
    """Arrays of jobs; SLURM itself requeues one that it preempts or that runs out of time."""

    seconds = SECONDS_BETWEEN_LOOKS[SLURM]

    def __init__(self, folder: Path, at_once: int, asked: Mapping[str, Any], retries: int) -> None:
        self.room = at_once
        self.executor = _submitit().SlurmExecutor(folder, max_num_timeout=retries)
        self.executor.update_parameters(**asked)

    def submit(self, jobs: Sequence[Sendable]) -> Sequence[Any]:
        """One array."""
        with self.executor.batch():
            return [self.executor.submit(Requeued(job)) for job in jobs]


class LocalEngine(_Queue):
    """Processes of this machine; the k-th of those at once has the k-th GPUs."""

    seconds = SECONDS_BETWEEN_LOOKS[LOCAL]

    def __init__(self, folder: Path, at_once: int, minutes: int, gpus: int, retries: int) -> None:
        self.room, self.gpus = at_once, gpus
        self.executor = _submitit().LocalExecutor(folder, max_num_timeout=retries)
        self.executor.update_parameters(timeout_min=minutes, signal_delay_s=SECONDS_TO_SAVE)
        self.slots: dict[Any, int] = {}

    def submit(self, jobs: Sequence[Sendable]) -> Sequence[Any]:
        """Start a process for each."""
        return [self._start(job) for job in jobs]

    def told(self, handle: Any) -> JobResult:
        """What the job left; its GPUs are free again."""
        self.slots.pop(handle, None)
        return super().told(handle)

    def _start(self, job: Sendable) -> Any:
        slot = next(k for k in range(self.room) if k not in self.slots.values())
        own = tuple(range(slot * self.gpus, (slot + 1) * self.gpus))
        self.executor.update_parameters(gpus_per_node=self.gpus, visible_gpus=own)
        handle = self.executor.submit(Requeued(job))
        self.slots[handle] = slot
        return handle


@dataclass(frozen=True)
class Requeued:
    """A job that saves before it is requeued.

    The scheduler's signal, some time before the end, becomes a SIGTERM, at which a run finishes its
    step and writes a checkpoint. Then submitit requeues the job, which goes on from there.
    """

    job: Sendable

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
        """What submitit is to run next time."""
        return _submitit().helpers.DelayedSubmission(self)


def _submitit() -> Any:
    try:
        import submitit
    except ImportError:
        raise ImportError(
            "hydra/launcher=submitit needs the package submitit: pip install 'nerfloss[submitit]'"
        ) from None
    return submitit
