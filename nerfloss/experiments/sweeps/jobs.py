"""The jobs of one sweep: composed, told from what is finished, launched; and which failed."""

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

from nerfloss.assembly.sweep_config import ablation_of, check_one_run, plain
from nerfloss.experiments.sweeps.job_status import failure_of, is_finished

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One run of a sweep: what it overrides, where it writes, what that composes to."""

    overrides: tuple[str, ...]
    folder: Path
    config: Mapping[str, Any]


def listed(jobs: Iterable[Job], sweep: Path) -> dict[str, Sequence[str]]:
    """Jobs as sweep.json lists them: overrides by folder."""
    return {str(job.folder.relative_to(sweep)): job.overrides for job in jobs}


class Jobs:
    """Makes and launches the jobs of a sweep, whatever decides which ones there are.

    A launcher gets each job with its folder spelt out, so that workers need to know nothing of
    the sweep, and a job lands in the same folder whenever, and beside whatever, it runs.
    """

    def __init__(
        self, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.loader, self.config = hydra_context.config_loader, config
        self.folder = Path(config.hydra.sweep.dir)
        self.launcher = _launcher(hydra_context, task_function, config)

    def make(self, overrides: Sequence[str], name: str, number: int) -> Job:
        """The job of these overrides, in the folder ``name`` unless hydra.sweep.subdir was typed.

        Raises Hydra's errors for overrides that fit no configuration, and ValueError for a job that
        could not be one run.
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
        """Run what is not finished; the errors of jobs that failed, by folder.

        One that fails stops no other. Raises OtherRun before any starts where a folder holds
        another configuration's run.
        """
        waiting = [job for job in jobs if not is_finished(job.folder, job.config)]
        if len(waiting) < len(jobs):
            finished = len(jobs) - len(waiting)
            log.info("%d of %d jobs are finished and not run again", finished, len(jobs))
        if not waiting:
            return {}
        placed = [[*job.overrides, *self._place(job)] for job in waiting]
        returns: Sequence[JobReturn] = ()
        lost: str | None = None
        try:
            returns = self.launcher.launch(placed, initial_job_idx=first)
        except Exception as error:  # of the launcher itself, as when a worker was killed
            log.exception("the launcher failed")
            lost = f"not finished: the launcher failed with {_said(error)}"
        failures = {job.folder: _failure(job, lost) for job in waiting}
        for job, each in zip(waiting, returns, strict=False):
            if each.status == JobStatus.FAILED:
                failures[job.folder] = _said(each._return_value)
        return {folder: error for folder, error in failures.items() if error is not None}

    def _place(self, job: Job) -> list[str]:
        """Where a job writes, as overrides; quoted, since a path may hold anything."""
        where = {
            "hydra.sweep.dir": str(self.folder),
            "hydra.sweep.subdir": str(job.folder.relative_to(self.folder)),
            "hydra.output_subdir": ".hydra",
        }
        return [key + "='" + path.replace("'", "\\'") + "'" for key, path in where.items()]


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
    """Why a job that was launched did not finish; None if, by what its folder says, it did."""
    if not job.folder.exists():
        return lost or "not begun"
    if is_finished(job.folder, job.config):
        return None
    return failure_of(job.folder) or lost or "not finished; its log may say why"


def _said(error: Any) -> str:
    return f"{type(error).__name__}: {error}"
