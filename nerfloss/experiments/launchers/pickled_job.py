"""Jobs that are composed here and run in another process."""

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

from nerfloss.experiments.launchers.result_archive import SweepFolder, archive_of


@dataclass(frozen=True)
class JobResult:
    """The return ``value`` of a job, or its ``error`` as (type, text).

    ``archive``: the job's folder, if the worker does not share the sweep's file system.
    """

    value: Any = None
    error: tuple[str, str] | None = None
    archive: bytes | None = field(default=None, repr=False)

    def as_return(self, overrides: list[str]) -> JobReturn:
        """Return the result as Hydra's sweepers expect it, without configurations."""
        if self.error is None:
            return JobReturn(overrides, status=JobStatus.COMPLETED, _return_value=self.value)
        kind, text = self.error
        # Only the name of the type is known: the class may not exist in this process.
        error = type(kind, (RuntimeError,), {})(text)
        return JobReturn(overrides, status=JobStatus.FAILED, _return_value=error)


@dataclass(frozen=True)
class WorkerEnvironment:
    """Working directory and import path of the submitting process."""

    folder: str = field(default_factory=os.getcwd)
    imports: tuple[str, ...] = field(default_factory=lambda: tuple(sys.path))

    def enter(self) -> None:
        """Change to the directory if it exists: paths in a configuration may be relative."""
        if os.path.isdir(self.folder):
            os.chdir(self.folder)
        sys.path += [entry for entry in self.imports if entry not in sys.path]


@dataclass(frozen=True)
class PickledJob:
    """A job that can be pickled; calling it runs the task.

    ``config`` is composed, so that workers need no configuration files. KeyboardInterrupt is not
    caught: an interrupted run has saved a checkpoint and is not finished.
    """

    context: HydraContext
    task: TaskFunction
    config: DictConfig
    singletons: Mapping[Any, Any]
    sweep: SweepFolder
    environment: WorkerEnvironment = field(default_factory=WorkerEnvironment)
    threads: int | None = None

    @property
    def name(self) -> str:
        """The job's folder, relative to the sweep's."""
        return str(self.config.hydra.sweep.subdir)

    def __call__(self) -> JobResult:
        # Set before the task imports torch, which reads them once.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        if self.threads is not None:
            os.environ.setdefault("OMP_NUM_THREADS", str(self.threads))
        self.environment.enter()
        if self.sweep.is_visible():
            return self._run_task()
        with _temporary_folder(self.config) as folder:
            result = self._run_task()
            return JobResult(result.value, result.error, archive_of(folder))

    def _run_task(self) -> JobResult:
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
def _temporary_folder(config: DictConfig):
    """Redirect the job to a temporary folder for the ``with`` block."""
    with TemporaryDirectory(prefix="nerfloss-") as temporary, open_dict(config):
        config.hydra.sweep.dir = temporary
        yield Path(temporary) / str(config.hydra.sweep.subdir)
