"""The launcher ``ray``: jobs on this machine or on a Ray cluster.

The published plugin hydra-ray-launcher 1.2.2 needs cloudpickle < 3, boto3 and Ray's dashboard, does
not retry, and ends with the first lost worker.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nerfloss.experiments.launchers.pickled_job import JobResult
from nerfloss.experiments.launchers.remote_launcher import RemoteLauncher, without_none
from nerfloss.experiments.launchers.retry_loop import Job, JobLost

# The minimum of Ray: results are numbers, and larger objects are spilled to disk.
OBJECT_STORE_BYTES = 80 * 2**20
# More than run in parallel, so that an autoscaling cluster sees its queue.
MAX_QUEUED = 256
SECONDS_TO_SAVE = 60.0


class RayLauncher(RemoteLauncher):
    """Runs jobs with ``cpus`` cores, ``gpus`` GPUs (0.5: two share one) and ``memory_gb`` each.

    ``address`` is that of a running cluster ("auto", "ray://head:10001"); without it Ray is started
    on this machine for the sweep. ``init`` and ``options`` are passed to ``ray.init`` and
    ``ray.remote``.
    """

    def __init__(
        self,
        address: str | None = None,
        cpus: int = 1,
        gpus: int | float = 0,
        memory_gb: int | float | None = None,
        retries: int = 2,
        init: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(retries=retries, cpus=cpus)
        self.address, self.init = address, without_none(init)
        self.options = {"num_cpus": cpus, "num_gpus": gpus, **without_none(options)}
        if memory_gb is not None:
            self.options["memory"] = int(memory_gb * 2**30)

    def require(self) -> None:
        """Raise ImportError if Ray is not installed."""
        _ray()

    @contextmanager
    def engine(self, folder: Path) -> Iterator["RayEngine"]:  # noqa: ARG002 (Ray has its own)
        """Start Ray if it is not running."""
        ray = _ray()
        ours = not ray.is_initialized()
        if ours:
            ray.init(**self._starting())
        try:
            yield RayEngine(ray, self.options)
        finally:
            if ours:
                ray.shutdown()

    def _starting(self) -> dict[str, Any]:
        if self.address is not None:
            return {"address": self.address, "log_to_driver": False, **self.init}
        alone = {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
        return {"address": "local", "log_to_driver": False, **alone, **self.init}


class RayEngine:
    """Runs each job as a Ray task."""

    capacity = MAX_QUEUED

    def __init__(self, ray: Any, options: Mapping[str, Any]) -> None:
        self.ray = ray
        # Retries are counted here: Ray does not count tasks that ran out of memory.
        self.remote = ray.remote(max_retries=0, **options)(_run)

    def submit(self, jobs: Sequence[Job]) -> Sequence[Any]:
        """Queue the jobs."""
        return [self.remote.remote(job) for job in jobs]

    def wait(self, handles: Collection[Any]) -> Collection[Any]:
        """Wait for one job."""
        return self.ray.wait(list(handles), num_returns=1)[0]

    def result(self, handle: Any) -> JobResult:
        """Return the result. Raises JobLost if the worker was lost."""
        try:
            return self.ray.get(handle)
        except self.ray.exceptions.TaskCancelledError:
            raise JobLost("the task was cancelled") from None
        except self.ray.exceptions.RayTaskError as error:  # outside of the run, e.g. unpickling
            return JobResult(error=(type(error.cause).__name__, str(error.cause)))
        except self.ray.exceptions.RayError as error:
            raise JobLost(f"{type(error).__name__}: {str(error).splitlines()[0]}") from None

    def cancel(self, handles: Collection[Any]) -> None:
        """Interrupt the jobs: a run finishes its step and saves a checkpoint."""
        for handle in handles:
            self.ray.cancel(handle)
        if handles:
            self.ray.wait(list(handles), num_returns=len(handles), timeout=SECONDS_TO_SAVE)


def _run(job: Job) -> JobResult:
    return job()


def _ray() -> Any:
    # Read by Ray at import.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ImportError(
            "hydra/launcher=ray needs the package ray: pip install 'nerfloss[ray]'"
        ) from None
    return ray
