"""Persistent Optuna study, so that a search can be resumed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerfloss.experiments.sweeps.job_status import ConfigurationMismatch
from nerfloss.experiments.sweeps.search_space import Dimension

FILE = "study.journal"
SAMPLERS = ("tpe", "nsga2", "random")
_ASKED, _ERROR = "asked", "error of trial"


@dataclass(frozen=True)
class Trial:
    """A point of the search space as overrides; ``values`` of a finished trial."""

    number: int
    settings: Mapping[str, Any]
    values: tuple[float, ...] = ()


class Study:
    """Optuna's study in ``study.journal`` of a sweep's folder.

    ``objectives``: scores with "maximize" or "minimize". ``asked``: the identity of the study;
    opening another one raises ConfigurationMismatch. Proposals depend on ``seed``, the number of
    the trial and the earlier results only, so that a resumed study proposes the same. Raises
    ImportError, which names the extra, if optuna is not installed.
    """

    def __init__(
        self,
        folder: Path,
        space: Mapping[str, Dimension],
        objectives: Mapping[str, str],
        *,
        asked: Mapping[str, Any],
        sampler: str = "tpe",
        seed: int = 0,
    ) -> None:
        self.optuna = _optuna()
        if sampler not in SAMPLERS:
            raise ValueError(f"hydra.sweeper.sampler={sampler}: choose from {', '.join(SAMPLERS)}")
        self.optuna.logging.set_verbosity(self.optuna.logging.WARNING)
        self.sampler, self.seed = sampler, seed
        self.space = {key: self._distribution(each) for key, each in space.items()}
        journal = self.optuna.storages.journal
        folder.mkdir(parents=True, exist_ok=True)
        self.study = self.optuna.create_study(
            study_name="sweep",
            storage=journal.JournalStorage(journal.JournalFileBackend(str(folder / FILE))),
            directions=list(objectives.values()),
            load_if_exists=True,
        )
        self._check_identity(folder, asked)

    @property
    def count(self) -> int:
        """Number of trials, failed ones included."""
        return len(self.study.trials)

    def pending(self) -> list[Trial]:
        """Return the trials without a result, of an interrupted search."""
        states = (self.optuna.trial.TrialState.RUNNING,)
        return [_read(each) for each in self.study.get_trials(deepcopy=False, states=states)]

    def ask(self) -> Trial:
        """Return a new trial."""
        self.study.sampler = self._sampler(self.seed + self.count)
        trial = self.study.ask(self.space)
        return Trial(trial.number, dict(trial.params))

    def tell(self, trial: Trial, values: list[float] | None, error: str | None = None) -> None:
        """Store the scores of a trial; None for a failed one, with the error."""
        if values is not None:
            self.study.tell(trial.number, values)
            return
        self.study.set_user_attr(f"{_ERROR} {trial.number}", error or "it failed")
        self.study.tell(trial.number, state=self.optuna.trial.TrialState.FAIL)

    def failures(self) -> dict[int, str]:
        """Return the errors of all failed trials by number."""
        state = self.optuna.trial.TrialState.FAIL
        trials = self.study.get_trials(deepcopy=False, states=(state,))
        stored = self.study.user_attrs
        return {each.number: stored.get(f"{_ERROR} {each.number}", "it failed") for each in trials}

    def pareto_front(self) -> list[Trial]:
        """Return the Pareto-optimal trials; for one objective the best."""
        state = self.optuna.trial.TrialState.COMPLETE
        if not self.study.get_trials(deepcopy=False, states=(state,)):
            return []
        return sorted(map(_read, self.study.best_trials), key=lambda trial: trial.values)

    def _check_identity(self, folder: Path, asked: Mapping[str, Any]) -> None:
        before = self.study.user_attrs.get(_ASKED)
        if before is None:
            self.study.set_user_attr(_ASKED, dict(asked))
            return
        changed = [key for key in asked if before.get(key) != asked[key]]
        if changed:
            raise ConfigurationMismatch(
                f"{folder} holds a study of something else (other {', '.join(changed)}): search in "
                f"another folder (hydra.sweep.dir=...)"
            )

    def _distribution(self, of: Dimension) -> Any:
        kinds = self.optuna.distributions
        if of.choices:
            return kinds.CategoricalDistribution(of.choices)
        if isinstance(of.low, int) and isinstance(of.high, int) and isinstance(of.step, int):
            return kinds.IntDistribution(of.low, of.high, step=of.step)
        assert of.low is not None
        assert of.high is not None
        return kinds.FloatDistribution(of.low, of.high, step=of.step, log=of.log)

    def _sampler(self, seed: int) -> Any:
        samplers = self.optuna.samplers
        kinds: Any = (samplers.TPESampler, samplers.NSGAIISampler, samplers.RandomSampler)
        return kinds[SAMPLERS.index(self.sampler)](seed=seed)


def _read(trial: Any) -> Trial:
    return Trial(trial.number, dict(trial.params), tuple(trial.values or ()))


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise ImportError(
            "hydra/sweeper=optuna needs the package optuna: pip install 'nerfloss[sweep]'"
        ) from None
    return optuna
