"""The sweeper ``grid``: every combination of the swept values, with seeds and ablations."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.errors import CompactHydraException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from nerfloss.assembly.ablation import ablations
from nerfloss.assembly.sweep_config import base_asked, several_ablations, weights_of
from nerfloss.experiments.sweeps.job_dirname import job_dirname
from nerfloss.experiments.sweeps.job_status import is_finished
from nerfloss.experiments.sweeps.jobs import Job, Jobs, check_job, overrides_by_folder
from nerfloss.experiments.sweeps.overrides import read_overrides, seeds_of, with_seeds
from nerfloss.experiments.sweeps.sweep_summary import report_failures, write_jobs

# Placeholder for the name of an ablation.
_OPEN = "ablate=null"


class Grid(Sweeper):
    """A grid sweep that resumes, and supports ``ablate`` and ``seeds``.

    ``params``: swept values by key, for experiments that are sweeps. ``max_batch_size``: number of
    jobs passed to the launcher together (default: all).
    """

    def __init__(
        self, max_batch_size: int | None = None, params: Mapping[str, str] | None = None
    ) -> None:
        self.max_batch_size, self.params = max_batch_size, dict(params or {})

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.config = config
        self.jobs = Jobs(hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> Any:
        """Run every unfinished job. SystemExit at the end if any failed."""
        try:
            planned = self.plan(arguments)
        except ValueError as error:
            raise CompactHydraException(str(error)) from None
        if not planned:
            raise CompactHydraException(f"{' '.join(arguments)}: there is no value to run")
        folder, failures = self.jobs.folder, dict[Path, str]()
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.jobs.config, folder / "multirun.yaml")
        write_jobs(folder, overrides_by_folder(planned, folder))
        size = self.max_batch_size or len(planned)
        with report_failures(folder, failures, f"{len(planned)} jobs"):
            for first in range(0, len(planned), size):
                failures.update(self.jobs.launch(planned[first : first + size], first))

    def plan(self, arguments: Sequence[str]) -> list[Job]:
        """Compose all jobs, so that errors are raised before the first one starts.

        Raises ValueError, or Hydra's errors.
        """
        params = [f"{key}={value}" for key, value in self.params.items()]
        typed = read_overrides([*params, *arguments], self.jobs.loader)
        swept = {each.get_key_element() for each in typed if each.is_sweep_override()}
        seeds, ablate = seeds_of(self.jobs.config, typed), several_ablations(self.jobs.config)
        words = BasicSweeper.split_arguments(typed, None)[0]
        if seeds is not None:
            words, swept = list(with_seeds(words, seeds)), swept | {"seed"}
        if ablate is not None:
            words, swept = list(self._with_ablations(words, ablate)), swept | {"ablate"}
        jobs: dict[Path, Job] = {}
        for number, each in enumerate(dict.fromkeys(map(tuple, words))):
            job = self.jobs.make(each, job_dirname(each, swept, number), number)
            if job.folder in jobs:
                raise ValueError(
                    f"two jobs would write to {job.folder}: {' '.join(jobs[job.folder].overrides)} "
                    f"and {' '.join(each)}; remove hydra.sweep.subdir"
                )
            jobs[job.folder] = job
            # Raises for another configuration. A finished run has no fault that matters now.
            if not is_finished(job.folder, job.config):
                check_job(job)
        return list(jobs.values())

    def _with_ablations(self, words: Sequence[Sequence[str]], asked: Any) -> Iterator[list[str]]:
        """Yield every combination once for each ablation of its own recipe."""
        known: dict[tuple[str, ...], list[str]] = {}
        for each in words:
            typed = [word for word in each if word.partition("=")[0] == "ablate"]
            own = [_OPEN if word in typed else word for word in each]
            own = own if typed else [*own, _OPEN]
            recipe = tuple(word for word in own if not word.startswith("seed="))
            if recipe not in known:
                config = self.jobs.make(recipe, "", 0).config
                found = ablations(asked, weights_of(config), base_asked(config))
                known[recipe] = [ablation.name for ablation in found]
            for name in known[recipe]:
                yield [f"ablate={name}" if word == _OPEN else word for word in own]
