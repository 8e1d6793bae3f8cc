"""A step that failed, in one file: all that it takes to see it fail again."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nerfloss.geometry import Rays, Samples
from nerfloss.recipe import Fault, LossRecipe, NonFiniteLoss
from nerfloss.training import checkpoint
from nerfloss.training.distributed.process_group import ProcessGroup
from nerfloss.training.optimizer import NonFiniteGradient
from nerfloss.training.prefetch import PreparedStep
from nerfloss.training.protocols import Model

log = logging.getLogger(__name__)
FILE = "failure.pt"


@dataclass(frozen=True)
class Failure:
    """What a step began with, and how it failed.

    ``config`` is the run's configuration as text. ``step`` counts the steps taken before, ``at``
    is where on its schedules the run was. The ``model`` is its state, no parameter moved, and
    ``recipe`` that of the recipe before the step. ``samples`` are the intervals along the ``rays``.
    ``seed`` is what the step's generator was seeded with, ``generator`` and ``torch_rng`` are the
    states of what the step drew from once the samples were placed.

    A sampler that learns is saved, and places its samples again: gradients go through it. Any other
    is not, since it may be at the next step's samples already.
    """

    config: str
    step: int
    at: Mapping[str, Any]
    seed: int
    generator: Tensor
    torch_rng: Tensor
    model: Mapping[str, Any]
    recipe: Mapping[str, Any]
    rays: Rays
    samples: Mapping[str, Any]
    targets: Mapping[str, Any]
    fault: Fault

    @classmethod
    def read(cls, path: Path | str, device: torch.device | str = "cpu") -> "Failure":
        """The failure in a file, its tensors on ``device``.

        Raises FileNotFoundError for a missing file, CheckpointError for a damaged or foreign one
        and ValueError for a checkpoint.
        """
        state = checkpoint.load(path)
        if "fault" not in state:
            raise ValueError(f"{path} is a checkpoint, no failed step: give a run's {FILE}")
        fault = Fault(**{**state["fault"], "rays": tuple(state["fault"]["rays"])})
        moved = {name: _on(device, state[name]) for name in ("rays", "samples", "targets")}
        return cls(**{**state, **moved, "rays": Rays(**moved["rays"]), "fault": fault})

    def write(self, path: Path) -> None:
        """Write it so that the file is whole or not there. Raises OSError where that fails."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        found["fault"] = self.fault.as_dict()
        found["rays"] = {each.name: getattr(self.rays, each.name) for each in fields(self.rays)}
        checkpoint.save(path, found)


@dataclass(frozen=True)
class Failures:
    """Where a run keeps its failed step; ``config`` is the text of the run's configuration.

    The step is that of all the ``team``'s rays, and its first process keeps it.
    """

    folder: Path
    config: str
    team: ProcessGroup

    def attempt(
        self,
        model: Model,
        recipe: LossRecipe,
        begun: PreparedStep,
        step: int,
        at: Mapping[str, Any],
    ) -> "Attempt":
        """What to remember of a step that begins now, in case that it fails."""
        # A balancer moves in the forward pass: what it was is needed. This takes microseconds.
        draws, more_draws = begun.generator.get_state(), torch.get_rng_state()
        return Attempt(
            self, model, recipe, begun, step, dict(at), draws, more_draws, _balancer_state(recipe)
        )

    def keep(self, failure: Failure) -> str:
        """Write a failed step; says how to see it again, or why it could not be saved."""
        path = self.folder / FILE
        try:
            if self.team.first:
                failure.write(path)
        except (OSError, TypeError) as error:
            # What stopped the run matters more than that it cannot be kept.
            return f"what it takes to see this again could not be saved: {error}"
        log.error("step %d failed: see it again with  nerfloss replay %s", failure.step, path)
        return f"see it again with  nerfloss replay {path}"


@dataclass(frozen=True)
class Attempt:
    """A step, and what it began with. ``draws`` and ``more_draws`` are states of generators."""

    failures: Failures
    model: Model
    recipe: LossRecipe
    begun: PreparedStep
    step: int
    at: Mapping[str, Any]
    draws: Tensor
    more_draws: Tensor
    balancer: Mapping[str, Any]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Write the step to a file if the ``with`` block finds a number that is not finite.

        The error goes on, with a note that says how to see it again.
        """
        try:
            yield
        except (NonFiniteLoss, NonFiniteGradient) as error:
            fault = error.fault or Fault("gradient", str(error))
            error.add_note(self.failures.keep(self._failure(fault)))
            raise

    def _failure(self, fault: Fault) -> Failure:
        begun = self.begun
        whole = partial(self.failures.team.rows, batch=begun.batch)
        return Failure(
            config=self.failures.config,
            step=self.step,
            at=self.at,
            seed=begun.generator.initial_seed(),
            generator=self.draws,
            torch_rng=self.more_draws,
            model=_what_learns(self.model),
            recipe=_with_balancer(self.recipe.state_dict(), self.balancer),
            rays=Rays(**whole(vars(begun.batch.rays))),
            samples=_intervals(begun.samples, whole),
            targets=whole(begun.batch.targets),
            fault=fault,
        )


def _what_learns(model: Model) -> dict[str, Any]:
    state = dict(model.state_dict())
    if not list(model.sampler.parameters()):
        del state["sampler"]
    return state


def _intervals(samples: Samples, whole: Callable[[Mapping[str, Any]], Any]) -> dict[str, Any]:
    ends = whole({"t_starts": samples.t_starts, "t_ends": samples.t_ends})
    return {**ends, "more": whole(samples.more)}


def _on(device: torch.device | str, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _on(device, each) for name, each in value.items()}
    return value.to(device) if isinstance(value, Tensor) else value


def _balancer_state(recipe: LossRecipe) -> dict[str, Any]:
    state = {} if recipe.balancer is None else recipe.balancer.state_dict()
    return {
        f"balancer.{name}": value.clone() if isinstance(value, Tensor) else value
        for name, value in state.items()
    }


def _with_balancer(recipe: Mapping[str, Any], balancer: Mapping[str, Any]) -> dict[str, Any]:
    others = {name: value for name, value in recipe.items() if not name.startswith("balancer.")}
    return {**others, **balancer}
