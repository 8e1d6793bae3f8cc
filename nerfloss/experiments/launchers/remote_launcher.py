"""What launchers to other machines have in common: jobs as pickled_jobs, carried out, their results
brought to the sweep's folder."""

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

from nerfloss.experiments.launchers.pickled_job import JobResult, PickledJob, Place
from nerfloss.experiments.launchers.result_archive import Home, home_at, unpack
from nerfloss.experiments.launchers.retry_loop import Engine, carry_out


class RemoteLauncher(Launcher):
    """A launcher whose engine runs pickled_jobs; lost ones are tried again ``retries`` times.

    ``cpus`` is how many threads each job may use.
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
        """Raise ImportError, which names the extra, where the library is not installed."""

    @abstractmethod
    def engine(self, folder: Path) -> AbstractContextManager[Engine[Any]]:
        """What runs the pickled_jobs of the sweep in ``folder``, for as long as the block lasts."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs to their ends, whichever of them fail."""
        home, place = home_at(Path(str(self.config.hydra.sweep.dir))), Place()

        def make(number: int) -> PickledJob:
            return self._errand(job_overrides[number], initial_job_idx + number, home, place)

        def received(name: str, told: JobResult) -> JobResult:
            if told.parcel is not None:
                unpack(told.parcel, home.folder / name)
            return replace(told, parcel=None)

        with self.engine(home.folder) as engine:
            told = carry_out(
                engine, make, len(job_overrides), retries=self.retries, received=received
            )
        pairs = zip(told, job_overrides, strict=True)
        return [each.as_return(list(overrides)) for each, overrides in pairs]

    def _errand(
        self, overrides: Sequence[str], number: int, home: Home, place: Place
    ) -> PickledJob:
        composed = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(composed):
            composed.hydra.job.id = f"{composed.hydra.job.name}_{number}"
            composed.hydra.job.num = number
            composed.hydra.sweep.dir = str(home.folder)
        state = Singleton.get_state()
        return PickledJob(self.context, self.task, composed, state, home, place, self.cpus)


def given(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings that are to be passed on: those with a value."""
    return {key: value for key, value in (settings or {}).items() if value is not None}
