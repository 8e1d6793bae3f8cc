"""Jobs of a sweep: composition, launch, and errors."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import CompactHydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from nerfloss.assembly.sweep_config import (
    ablation_of,
    check_one_run,
    check_settings_and_terms,
    plain,
)
from nerfloss.experiments.sweeps.job_status import failure_of, is_finished

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One run of a sweep: its overrides, folder and composed configuration."""

    overrides: tuple[str, ...]
    folder: Path
    config: Mapping[str, Any]


def overrides_by_folder(jobs: Iterable[Job], sweep: Path) -> dict[str, Sequence[str]]:
    """Return the overrides of jobs by folder, for sweep.json."""
    return {str(job.folder.relative_to(sweep)): job.overrides for job in jobs}


class Jobs:
    """Composes and launches the jobs of a sweep.

    The launcher receives the folder of each job as an override, so that it does not depend on the
    other jobs or on the time.
    """

    def __init__(
        self, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.loader, self.config = hydra_context.config_loader, config
        self.folder = Path(config.hydra.sweep.dir)
        self.launcher = _launcher(hydra_context, task_function, config)

    def make(self, overrides: Sequence[str], name: str, number: int) -> Job:
        """Compose a job; its folder is ``name`` unless hydra.sweep.subdir was typed.

        Raises Hydra's errors for invalid overrides, and ValueError for settings that mean several
        runs.
        """
        composed = self.loader.load_sweep_config(self.config, list(overrides))
        typed = map(str, self.config.hydra.overrides.hydra)
        with open_dict(composed):
            composed.hydra.job.id = composed.hydra.job.num = number
        before = HydraConfig.instance().cfg
        HydraConfig.instance().set_config(composed)
        try:
            if any(word.startswith("hydra.sweep.subdir=") for word in typed):
                name = str(composed.hydra.sweep.subdir)
            with open_dict(composed):
                del composed["hydra"]
            config = plain(composed)
        finally:
            HydraConfig.instance().cfg = before
        check_one_run(config, swept=True)
        ablation_of(config)
        return Job(tuple(overrides), self.folder / name, config)

    def launch(self, jobs: Sequence[Job], first: int = 0) -> dict[Path, str]:
        """Run the unfinished jobs; return the errors of failed ones by folder.

        A failed job does not stop the others. Raises ConfigurationMismatch before any job starts.
        """
        waiting = [job for job in jobs if not is_finished(job.folder, job.config)]
        if len(waiting) < len(jobs):
            finished = len(jobs) - len(waiting)
            log.info("%d of %d jobs are finished and not run again", finished, len(jobs))
        if not waiting:
            return {}
        placed = [[*job.overrides, *self._folder_overrides(job)] for job in waiting]
        returns: Sequence[JobReturn] = ()
        lost: str | None = None
        try:
            returns = self.launcher.launch(placed, initial_job_idx=first)
        except Exception as error:  # of the launcher itself, e.g. a killed worker
            log.exception("the launcher failed")
            lost = f"not finished: the launcher failed with {_described(error)}"
        failures = {job.folder: _failure(job, lost) for job in waiting}
        for job, each in zip(waiting, returns, strict=False):
            if each.status == JobStatus.FAILED:
                failures[job.folder] = _described(each._return_value)
        return {folder: error for folder, error in failures.items() if error is not None}

    def _folder_overrides(self, job: Job) -> list[str]:
        """Return the overrides of the folder, quoted: a path may contain any character."""
        where = {
            "hydra.sweep.dir": str(self.folder),
            "hydra.sweep.subdir": str(job.folder.relative_to(self.folder)),
            "hydra.output_subdir": ".hydra",
        }
        return [key + "='" + path.replace("'", "\\'") + "'" for key, path in where.items()]


def check_job(job: Job) -> None:
    """Raise ValueError for settings and weights that the run would refuse when its turn comes."""
    try:
        check_settings_and_terms(job.config)
    except ValueError as error:
        raise ValueError(f"{error}\nin the job {' '.join(job.overrides)}") from None


def _launcher(hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> Any:
    target = str(config.hydra.launcher._target_)
    if target not in Plugins.instance().class_name_to_class:
        name = config.hydra.runtime.choices["hydra/launcher"]
        raise CompactHydraException(
            f"hydra/launcher={name} needs a package that is not installed "
            f"({target.split('.')[1]}): pip install 'nerfloss[sweep]'"
        )
    return Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context, task_function=task_function, config=config
    )


def _failure(job: Job, lost: str | None) -> str | None:
    """Return the error of a launched job; None if its folder shows that it finished."""
    if not job.folder.exists():
        return lost or "not started"
    if is_finished(job.folder, job.config):
        return None
    return failure_of(job.folder) or lost or "not finished; its log may say why"


def _described(error: Any) -> str:
    return f"{type(error).__name__}: {error}"
