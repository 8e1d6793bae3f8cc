"""One job of a sweep on its way: composed here, run in another process, told in plain values."""

import os
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from nerfloss.experiments.launchers.result_archive import Home, packed


@dataclass(frozen=True)
class JobResult:
    """How a job ended: its ``value``, or the ``error`` that it met, as the error's type and text.

    ``parcel`` is the job's folder where the process that ran it could not write to the sweep's.
    """

    value: Any = None
    error: tuple[str, str] | None = None
    parcel: bytes | None = field(default=None, repr=False)

    def as_return(self, overrides: list[str]) -> JobReturn:
        """The same as Hydra's sweepers expect it, without its two configurations."""
        if self.error is None:
            return JobReturn(overrides, status=JobStatus.COMPLETED, _return_value=self.value)
        kind, text = self.error
        # Of the worker's type only the name came along: it may not exist in this process.
        error = type(kind, (RuntimeError,), {})(text)
        return JobReturn(overrides, status=JobStatus.FAILED, _return_value=error)


@dataclass(frozen=True)
class Place:
    """What a worker must be told of the process that sent it: its folder, and where it imports."""

    folder: str = field(default_factory=os.getcwd)
    imports: tuple[str, ...] = field(default_factory=lambda: tuple(sys.path))

    def enter(self) -> None:
        """Go there as far as this machine has it: paths in a configuration may be relative."""
        if os.path.isdir(self.folder):
            os.chdir(self.folder)
        sys.path += [entry for entry in self.imports if entry not in sys.path]


@dataclass(frozen=True)
class PickledJob:
    """A job that can be pickled: calling it runs the task and tells how that ended.

    ``config`` is composed, so that a worker needs no configuration files. KeyboardInterrupt passes
    through: a run that was asked to stop has saved where it was, and is not done.
    """

    context: HydraContext
    task: TaskFunction
    config: DictConfig
    singletons: Mapping[Any, Any]
    home: Home
    place: Place = field(default_factory=Place)
    threads: int | None = None

    @property
    def name(self) -> str:
        """The job's folder in that of the sweep."""
        return str(self.config.hydra.sweep.subdir)

    def __call__(self) -> JobResult:
        # Before the task imports torch, which reads them once.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        if self.threads is not None:
            os.environ.setdefault("OMP_NUM_THREADS", str(self.threads))
        self.place.enter()
        if self.home.is_here():
            return self._told()
        with _folder_of_its_own(self.config) as folder:
            told = self._told()
            return JobResult(told.value, told.error, packed(folder))

    def _told(self) -> JobResult:
        setup_globals()
        Singleton.set_state(dict(self.singletons))
        done = run_job(
            hydra_context=self.context,
            task_function=self.task,
            config=self.config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        if done.status == JobStatus.COMPLETED:
            return JobResult(done._return_value)
        error = done._return_value
        return JobResult(error=(type(error).__name__, str(error)))


@contextmanager
def _folder_of_its_own(config: DictConfig):
    """Let the job write into a folder that lasts as long as the ``with`` block."""
    with TemporaryDirectory(prefix="nerfloss-") as elsewhere, open_dict(config):
        config.hydra.sweep.dir = elsewhere
        yield Path(elsewhere) / str(config.hydra.sweep.subdir)
