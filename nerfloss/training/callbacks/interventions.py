"""Interventions: weights of loss terms that a person changes while a run trains."""

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol, runtime_checkable

from nerfloss.files import atomic_write
from nerfloss.training.callbacks.callback import Callback, CallbackContext, TrainerState
from nerfloss.training.step import Step

log = logging.getLogger(__name__)

FILE = "interventions.json"


@runtime_checkable
class WeightedTerm(Protocol):
    """A term of a recipe: its weight without schedule, and the quantities that it takes."""

    @property
    def weight(self) -> float: ...
    @property
    def needs(self) -> frozenset[str]: ...


@runtime_checkable
class AdjustableRecipe(Protocol):
    """A recipe whose weights can be changed while it trains."""

    @property
    def terms(self) -> Mapping[str, Any]:
        """A `WeightedTerm` by each name."""
        ...

    def all_needs(self) -> frozenset[str]: ...
    def set_weight(self, name: str, weight: float) -> None: ...


@dataclass(frozen=True)
class Intervention:
    """A changed weight: that of ``term`` was ``old`` up to and with ``step``, then ``new``."""

    step: int
    term: str
    old: float
    new: float


class Interventions(Callback):
    """Change weights of a recipe between two steps, and record each change.

    Changes are part of the checkpoint, so a resumed run keeps the weights that it was stopped with;
    interventions.json in the run's folder lists them, and the log, history.csv (their number, and
    the weights themselves) and provenance.json name them. A run without any writes nothing.
    """

    state_key = "interventions"

    def __init__(self, recipe: AdjustableRecipe) -> None:
        self._recipe = recipe
        # What batches and samplers were prepared for, before any change.
        self._prepared = recipe.all_needs()
        self._configured = self.weights
        self._requested: SimpleQueue[tuple[str, float]] = SimpleQueue()
        self.made: list[Intervention] = []

    @property
    def weights(self) -> dict[str, float]:
        """The weight of every term now, without its schedule."""
        terms: Mapping[str, WeightedTerm] = self._recipe.terms
        return {name: term.weight for name, term in terms.items()}

    def missing(self, term: str) -> list[str]:
        """Return the quantities of a term that this run has not prepared: it cannot get weight."""
        return sorted(self._recipe.terms[term].needs - self._prepared)

    def request(self, term: str, weight: float) -> None:
        """Ask for a weight after the present step; may be called by any thread.

        Raises ValueError for a term that does not exist or cannot get weight, and for a weight that
        is not finite or below 0.
        """
        if term not in self.weights:
            raise ValueError(f"'{term}' is no term of the recipe: {', '.join(self.weights)}")
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f"the weight of {term} is {weight}: give a finite number, 0 or more")
        self._check_prepared(term, weight)
        self._requested.put((term, weight))

    def in_force(self, step: int) -> list[Intervention]:
        """Return the newest intervention of each term at the step that ``step`` others precede."""
        return [*{each.term: each for each in self.made if each.step <= step}.values()]

    def setup(self, context: CallbackContext) -> None:
        self._file: Path = context.folder / FILE
        if not context.process_group.is_main:
            return
        if self.made:
            self._write()
            for each in self.in_force(context.start):
                log.info(
                    "weight of %s is %g since an intervention after step %d (configured: %g)",
                    each.term,
                    each.new,
                    each.step,
                    self._configured[each.term],
                )
        else:  # of another run in this folder, or after the checkpoint that is resumed
            self._file.unlink(missing_ok=True)

    def after_step(self, trainer: TrainerState, step: Step) -> None:  # noqa: ARG002
        before = len(self.made)
        while True:
            try:
                term, weight = self._requested.get_nowait()
            except Empty:
                break
            old = self.weights[term]
            if weight != old:
                self._recipe.set_weight(term, weight)
                self.made.append(Intervention(trainer.step, term, old, weight))
                log.info(
                    "intervention after step %d: weight of %s from %g to %g",
                    trainer.step,
                    term,
                    old,
                    weight,
                )
        if len(self.made) > before:
            self._write()

    def metrics(self) -> Mapping[str, float]:
        return {"interventions": float(len(self.made))} if self.made else {}

    def state_dict(self) -> dict[str, Any]:
        return {"made": [asdict(each) for each in self.made]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.made = [Intervention(**each) for each in state["made"]]
        for each in {each.term: each for each in self.made}.values():
            self._check_prepared(each.term, each.new)
            self._recipe.set_weight(each.term, each.new)

    def _check_prepared(self, term: str, weight: float) -> None:
        if weight > 0 and (missing := self.missing(term)):
            raise ValueError(
                f"{term} needs {', '.join(missing)}, which this run has not prepared: begin a run "
                f"in which its weight is above 0"
            )

    def _write(self) -> None:
        content = {"interventions": [asdict(each) for each in self.made]}
        atomic_write(self._file, f"{json.dumps(content, indent=2)}\n".encode())


def read_interventions(folder: Path) -> list[Intervention]:
    """Return the interventions of a run in their order; none where its folder has no record."""
    try:
        content = json.loads((folder / FILE).read_text())
        return [Intervention(**each) for each in content["interventions"]]
    except (OSError, ValueError, TypeError, KeyError):
        return []
