"""Training loop."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from nerfloss.kernels.threads import torch_threads
from nerfloss.training import checkpoint
from nerfloss.training.batch_size import BatchSize
from nerfloss.training.callbacks.callback import Callback
from nerfloss.training.clock import Clock, Schedule
from nerfloss.training.optimizer import Optimizer
from nerfloss.training.prefetch import Prefetcher
from nerfloss.training.protocols import Model, Recipe
from nerfloss.training.signal_handling import SignalHandler
from nerfloss.training.step import Step
from nerfloss.training.timer import Timer

# Parts of a trainer's state that a checkpoint must have; callbacks may add theirs.
STATE = ("step", "renewed", "seconds", "start_seconds", "rays", "rays_seen")
STATE += ("model", "recipe", "optimizer", "torch_rng")


class Trainer:
    """Minimize the loss of a recipe over the parameters of a model.

    A run can stop after any step and resume to the same bits on a CPU: every step draws from
    generators seeded by the run's seed and the number of the step. Everything around the steps
    (logging, checkpoints, previews, checks) is done by callbacks. ``torch_threads`` is how many
    threads torch's own operations have at most in a step (None: no limit).
    """

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        inputs: Prefetcher,
        optimizer: Optimizer,
        *,
        clock: Clock,
        batch_size: BatchSize,
        callbacks: Sequence[Callback] = (),
        torch_threads: int | None = 1,
    ) -> None:
        self.model, self.recipe, self.inputs, self.optimizer = model, recipe, inputs, optimizer
        self.clock, self.batch_size = clock, batch_size
        self.callbacks: list[Callback] = list(callbacks)
        self.step, self.rays, self.rays_seen = 0, batch_size.rays, 0
        self.start_seconds, self.torch_threads = 0.0, torch_threads
        self._signals = SignalHandler()

    @property
    def stop_requested(self) -> bool:
        """True once a signal has asked to stop; the loop ends after the present step."""
        return self._signals.reason is not None

    @property
    def schedule(self) -> Schedule:
        """Return the position of the next step on the schedules."""
        return self.clock.schedule(self.step)

    @property
    def timer(self) -> Timer:
        return self.clock.timer

    def run(self) -> str | None:
        """Train to the end of the budget; return the signal that interrupted it, if any."""
        if self.step == 0:
            self.start_seconds = self.timer.read("wall")
        with self._signals as signals, self.timer.running():
            while True:
                interrupted = self.clock.synchronize(signals.reason)
                if interrupted or self.clock.finished(self.step):
                    break
                step = self.train_step()
                self.step += 1
                for callback in self.callbacks:
                    callback.after_step(self, step)
        for callback in self.callbacks:
            callback.after_training(self, interrupted=interrupted is not None)
        return interrupted

    def train_step(self) -> Step:
        """Make one step: render the quantities that the recipe needs, and descend its total."""
        with torch_threads(self.torch_threads):
            return self._train_step()

    def _train_step(self) -> Step:
        schedule = self.schedule
        self.model.advance(schedule.step)
        inputs = self.inputs.take(self.step, self.rays)
        self._adapt_rays(inputs.rays, inputs.samples_evaluated)
        self.inputs.prefetch(self.step + 1, self.rays)
        for callback in self.callbacks:
            callback.before_forward(self, inputs)
        rays = self.model.training_rays(inputs.batch.rays, schedule.step)
        quantities = self.model.render(
            replace(inputs.samples, rays=rays, count=int(inputs.count)),
            self.recipe.needs(schedule.step),
            given={**inputs.batch.targets, **vars(schedule)},
            generator=inputs.generator,
        )
        report = self.recipe(quantities, schedule.step, check_finite=False)
        step = Step(self.step, schedule, inputs, quantities, report)
        for callback in self.callbacks:
            callback.after_forward(self, step)
        self._update(step)
        for callback in self.callbacks:
            callback.after_update(self, step)
        step.report = replace(report, term_metrics=self.recipe.after_step(schedule.step))
        return step

    def flush(self) -> None:
        """Finish the pending checks of all callbacks."""
        for callback in self.callbacks:
            callback.flush()

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {
            "step": self.step,
            "renewed": self.inputs.refreshed,
            "seconds": self.timer.state_dict(),
            "start_seconds": self.start_seconds,
            "rays": self.rays,
            "samples": self.batch_size.samples,
            "rays_seen": self.rays_seen,
            "model": self.model.state_dict(),
            "recipe": self.recipe.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            # Our own random numbers need no state; a user's term may draw from torch's generator.
            "torch_rng": torch.get_rng_state(),
            **{each.state_key: each.state_dict() for each in self.callbacks if each.state_key},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        checkpoint.check_counts(state, ("step", "rays", "rays_seen"))
        self.step, self.start_seconds = state["step"], state["start_seconds"]
        self.inputs.reset(state["renewed"])
        self.timer.load_state_dict(state["seconds"])
        self.rays_seen = state["rays_seen"]
        samples = state.get("samples", self.batch_size.samples)
        rays = self.batch_size.rescaled_rays(state["rays"], samples)
        self.rays = max(self.inputs.min_rays, rays)
        self.model.load_state_dict(state["model"])
        self.recipe.load_state_dict(state["recipe"])
        self.optimizer.load_state_dict(state["optimizer"])
        for callback in self.callbacks:
            if callback.state_key and state.get(callback.state_key) is not None:
                callback.load_state_dict(state[callback.state_key])
        torch.set_rng_state(state["torch_rng"].cpu())

    def _update(self, step: Step) -> None:
        """Descend the total; nothing to do where no sample and no term reaches a parameter."""
        schedule, parameters = step.schedule, self.optimizer.parameters
        gradient = self.recipe.objective(step.report, schedule.step, parameters)
        if gradient.requires_grad:
            step.found_inf = self.optimizer.step_async(
                gradient, schedule.step, schedule.progress, skip=step.skip_update
            )

    def _adapt_rays(self, drawn: int, samples: int) -> None:
        """Move the number of rays a tenth of the way to what the budget of samples allows.

        ``drawn`` may be below the number asked for, where a batch consists of whole patches.
        """
        self.rays_seen += drawn
        wanted = drawn * self.batch_size.samples / max(samples, 1)
        mixed = round(0.9 * self.rays + 0.1 * min(wanted, self.batch_size.max_rays))
        self.rays = max(self.inputs.min_rays, min(mixed, self.batch_size.max_rays))
