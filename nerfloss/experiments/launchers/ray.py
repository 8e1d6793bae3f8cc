"""The launcher ``ray``: jobs on the cores and GPUs of this machine, or of a Ray cluster.

The published plugin hydra-ray-launcher 1.2.2 asks for cloudpickle < 3, boto3 and Ray's dashboard,
waits for its jobs with one call that the first lost worker ends, and retries nothing by itself.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nerfloss.experiments.launchers.pickled_job import JobResult
from nerfloss.experiments.launchers.remote_launcher import RemoteLauncher, given
from nerfloss.experiments.launchers.retry_loop import Lost, Sendable

# The least that Ray takes: results are numbers. What does not fit is written to disk.
OBJECT_STORE_BYTES = 80 * 2**20
# Beyond what runs at once: enough for a cluster that grows with its queue.
IN_ITS_QUEUE = 256
SECONDS_TO_SAVE = 60.0


class RayLauncher(RemoteLauncher):
    """Jobs of ``cpus`` cores, ``gpus`` GPUs (0.5: two share one) and ``memory_gb``, as they fit.

    ``address`` names a cluster that runs ("auto", "ray://head:10001"); without one Ray is started
    on this machine for the sweep and ended with it. ``init`` and ``options`` are passed on to
    ``ray.init`` and to each job's ``ray.remote``.
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
        self.address, self.init = address, given(init)
        self.options = {"num_cpus": cpus, "num_gpus": gpus, **given(options)}
        if memory_gb is not None:
            self.options["memory"] = int(memory_gb * 2**30)

    def require(self) -> None:
        """Raise ImportError where Ray is not installed."""
        _ray()

    @contextmanager
    def engine(self, folder: Path) -> Iterator["RayEngine"]:  # noqa: ARG002 (Ray keeps its own)
        """Ray, started if it was not."""
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
    """Each job is a task of Ray's, which places it where its resources are free."""

    room = IN_ITS_QUEUE

    def __init__(self, ray: Any, options: Mapping[str, Any]) -> None:
        self.ray = ray
        # Tries are counted by us: Ray's own count leaves out runs that ended for lack of memory.
        self.remote = ray.remote(max_retries=0, **options)(_run)

    def submit(self, jobs: Sequence[Sendable]) -> Sequence[Any]:
        """Queue them."""
        return [self.remote.remote(job) for job in jobs]

    def ended(self, handles: Collection[Any]) -> Collection[Any]:
        """Wait for one of them."""
        return self.ray.wait(list(handles), num_returns=1)[0]

    def told(self, handle: Any) -> JobResult:
        """What came back; Lost where the worker did not live to tell."""
        try:
            return self.ray.get(handle)
        except self.ray.exceptions.TaskCancelledError:
            raise Lost("it was told to stop") from None
        except self.ray.exceptions.RayTaskError as error:  # outside of the run: on its way there
            return JobResult(error=(type(error.cause).__name__, str(error.cause)))
        except self.ray.exceptions.RayError as error:
            raise Lost(f"{type(error).__name__}: {str(error).splitlines()[0]}") from None

    def cancel(self, handles: Collection[Any]) -> None:
        """As Ctrl-C would: a run finishes its step and saves."""
        for handle in handles:
            self.ray.cancel(handle)
        if handles:
            self.ray.wait(list(handles), num_returns=len(handles), timeout=SECONDS_TO_SAVE)


def _run(job: Sendable) -> JobResult:
    return job()


def _ray() -> Any:
    # Read when Ray is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ImportError(
            "hydra/launcher=ray needs the package ray: pip install 'nerfloss[ray]'"
        ) from None
    return ray
