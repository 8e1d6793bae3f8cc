"""The sweeper ``optuna``: search for Pareto-optimal settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.errors import CompactHydraException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from nerfloss.assembly.provenance import config_hash
from nerfloss.assembly.sweep_config import objectives_of, several_ablations
from nerfloss.experiments.sweeps.job_dirname import job_dirname
from nerfloss.experiments.sweeps.job_status import scores_of
from nerfloss.experiments.sweeps.jobs import Job, Jobs, check_job, overrides_by_folder
from nerfloss.experiments.sweeps.overrides import read_overrides, seeds_of, with_seeds
from nerfloss.experiments.sweeps.pareto import describe_pareto_front
from nerfloss.experiments.sweeps.search_space import search_space
from nerfloss.experiments.sweeps.study import Study, Trial
from nerfloss.experiments.sweeps.sweep_summary import report_failures, write_jobs


class Search(Sweeper):
    """A study of ``n_trials`` trials, ``n_jobs`` in parallel, that can be resumed.

    With ``seeds`` a trial is one run for each, and its scores are means.
    """

    def __init__(
        self,
        n_trials: int = 20,
        n_jobs: int = 1,
        sampler: str = "tpe",
        seed: int = 0,
        params: Mapping[str, str] | None = None,
    ) -> None:
        self.n_trials, self.n_jobs, self.sampler, self.seed = n_trials, n_jobs, sampler, seed
        self.params = dict(params or {})

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.config = config
        self.jobs = Jobs(hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> Any:
        """Run all trials and print the Pareto front. SystemExit at the end if any failed."""
        folder = self.jobs.folder
        try:
            self._open(arguments)
        except (ValueError, ImportError) as error:
            raise CompactHydraException(str(error)) from None
        OmegaConf.save(self.jobs.config, folder / "multirun.yaml")
        failures: dict[Path, str] = {}
        with report_failures(folder, failures, f"{self.n_trials} trials"):
            while trials := self._next():
                self._run(trials)
            failures |= {folder / f"trial={n}": e for n, e in self.study.failures().items()}
            print(
                describe_pareto_front(self.study.pareto_front(), self.objectives, self.study.count)
            )

    def _open(self, arguments: Sequence[str]) -> None:
        """Read the search space and open the study. Raises ValueError if nothing is searched."""
        typed = read_overrides(
            [*(f"{k}={v}" for k, v in self.params.items()), *arguments], self.jobs.loader
        )
        if several_ablations(self.jobs.config) is not None:
            raise ValueError(
                "an ablation is a list of runs, and has nothing to search: remove "
                "hydra/sweeper=optuna or ablate"
            )
        self.seeds = seeds_of(self.jobs.config, typed)
        self.fixed = [_word(each) for each in typed if not each.is_sweep_override()]
        space = search_space(typed)
        if not space:
            raise ValueError(
                "nothing is searched: sweep a setting, as in 'loss.terms.eikonal.weight=tag(log, "
                "interval(0.001, 1))', choice(...), range(...) or a,b,c"
            )
        fixed = self._seeded([self.fixed])[0]
        job = self.jobs.make(fixed, "", 0)
        check_job(job)
        config = job.config
        self.objectives = objectives_of(config)
        _check_objectives(self.objectives, config)
        asked = {
            "settings": config_hash({**config, "seed": None}),
            "seeds": self.seeds or [config["seed"]],
            "space": {key: each.as_json() for key, each in space.items()},
            "objectives": self.objectives,
        }
        self.study = Study(
            self.jobs.folder,
            space,
            self.objectives,
            asked=asked,
            sampler=self.sampler,
            seed=self.seed,
        )

    def _next(self) -> list[Trial]:
        """Return the next trials: interrupted ones, or ``n_jobs`` new ones."""
        pending = self.study.pending()
        left = min(self.n_jobs, self.n_trials - self.study.count)
        return pending or [self.study.ask() for _ in range(left)]

    def _run(self, trials: Sequence[Trial]) -> None:
        """Run trials and store their scores; finished runs are not repeated."""
        jobs = {trial.number: self._jobs_of(trial) for trial in trials}
        every = [job for each in jobs.values() for job in each]
        write_jobs(self.jobs.folder, overrides_by_folder(every, self.jobs.folder))
        failures = self.jobs.launch(every, trials[0].number)
        for trial in trials:
            errors = [failures[job.folder] for job in jobs[trial.number] if job.folder in failures]
            scores = [scores_of(job.folder) or {} for job in jobs[trial.number]]
            absent = [n for n in self.objectives if any(n not in each for each in scores)]
            if absent:
                errors.append(f"no value of {', '.join(absent)}; its metrics.json says why")
            if errors:
                self.study.tell(trial, None, errors[0])
            else:
                means = [fmean(each[name] for each in scores) for name in self.objectives]
                self.study.tell(trial, means)

    def _jobs_of(self, trial: Trial) -> list[Job]:
        words = self._seeded([[*self.fixed, *(f"{k}={v}" for k, v in trial.settings.items())]])
        names = [["trial=" + str(trial.number), *each] for each in words]
        swept = {"trial", "seed"} if self.seeds else {"trial"}
        return [
            self.jobs.make(each, job_dirname(name, swept, trial.number), trial.number)
            for each, name in zip(words, names, strict=True)
        ]

    def _seeded(self, words: list[list[str]]) -> list[list[str]]:
        return words if self.seeds is None else list(with_seeds(words, self.seeds))


def _word(override: Override) -> str:
    key = override.get_key_element()
    return key if key.startswith("~") else f"{key}={override.get_value_element_as_str()}"


def _check_objectives(objectives: Mapping[str, str], config: Mapping[str, Any]) -> None:
    """Raise ValueError for objectives that this configuration does not compute."""
    metrics = config["eval"]
    of_surface = set(metrics["geometry"]) if metrics["mesh"] is not None else set()
    known = {*metrics["metrics"], *of_surface, "train_seconds", "train_cpu_seconds"}
    for name in objectives:
        if name not in known:
            raise ValueError(
                f"objectives: these runs have no score '{name}': choose from "
                f"{', '.join(sorted(known))} (of surfaces only with eval.mesh)"
            )
    if not objectives:
        raise ValueError("there is no objective: objectives.maximize=[psnr]")
