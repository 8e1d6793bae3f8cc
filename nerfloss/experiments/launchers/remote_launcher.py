"""Base of launchers that run pickled jobs on workers and collect their results."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn
from hydra.errors import CompactHydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from nerfloss.experiments.launchers.pickled_job import JobResult, PickledJob, WorkerEnvironment
from nerfloss.experiments.launchers.result_archive import SweepFolder, extract, mark_sweep_folder
from nerfloss.experiments.launchers.retry_loop import Engine, run_with_retries


class RemoteLauncher(Launcher):
    """A launcher whose engine runs pickled jobs; lost ones are retried ``retries`` times.

    ``cpus`` is the number of threads of each job.
    """

    def __init__(self, *, retries: int, cpus: int) -> None:
        self.retries, self.cpus = retries, cpus

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.context, self.task, self.config = hydra_context, task_function, config
        try:
            self.require()
        except ImportError as error:
            raise CompactHydraException(str(error)) from None

    @abstractmethod
    def require(self) -> None:
        """Raise ImportError, which names the extra, if the library is not installed."""

    @abstractmethod
    def engine(self, folder: Path) -> AbstractContextManager[Engine[Any]]:
        """Return a context manager with the engine for the sweep in ``folder``."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run all jobs, also if some fail."""
        sweep = mark_sweep_folder(Path(str(self.config.hydra.sweep.dir)))
        environment = WorkerEnvironment()

        def make_job(number: int) -> PickledJob:
            return self._pickled_job(
                job_overrides[number], initial_job_idx + number, sweep, environment
            )

        def on_result(name: str, result: JobResult) -> JobResult:
            if result.archive is not None:
                extract(result.archive, sweep.folder / name)
            return replace(result, archive=None)

        with self.engine(sweep.folder) as engine:
            results = run_with_retries(
                engine, make_job, len(job_overrides), retries=self.retries, on_result=on_result
            )
        pairs = zip(results, job_overrides, strict=True)
        return [each.as_return(list(overrides)) for each, overrides in pairs]

    def _pickled_job(
        self,
        overrides: Sequence[str],
        number: int,
        sweep: SweepFolder,
        environment: WorkerEnvironment,
    ) -> PickledJob:
        composed = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(composed):
            composed.hydra.job.id = f"{composed.hydra.job.name}_{number}"
            composed.hydra.job.num = number
            composed.hydra.sweep.dir = str(sweep.folder)
        state = Singleton.get_state()
        return PickledJob(self.context, self.task, composed, state, sweep, environment, self.cpus)


def without_none(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the settings with a value."""
    return {key: value for key, value in (settings or {}).items() if value is not None}
