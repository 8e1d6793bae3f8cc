"""The training loop: rays, samples, quantities, losses, one step down; again."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from nerfloss.recipe import LossRecipe, LossReport
from nerfloss.training import checkpoint
from nerfloss.training.async_nan_check import AsyncNanCheck
from nerfloss.training.batch_size import BatchSize
from nerfloss.training.budget import Budget
from nerfloss.training.callbacks.watchdog import Watchdog
from nerfloss.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from nerfloss.training.failure_snapshot import Failures
from nerfloss.training.loggers.logger import Loggers
from nerfloss.training.optimizer import Optimizer
from nerfloss.training.prefetch import Prefetcher
from nerfloss.training.protocols import Batches, Diagnostics, Model
from nerfloss.training.signal_handling import SignalHandler
from nerfloss.training.step_metrics import scalars_of
from nerfloss.training.timer import Timer

log = logging.getLogger(__name__)


class Trainer:
    """Descends a recipe's total over a model's parameters, and can stop and go on at any step.

    Nothing random is carried from step to step: every step draws from generators seeded by the
    run's seed and its own number, so a resumed run continues to the same bits (on a CPU).
    """

    def __init__(
        self,
        model: Model,
        recipe: LossRecipe,
        batches: Batches,
        optimizer: Optimizer,
        *,
        budget: Budget,
        batch_size: BatchSize,
        checkpoint_every: int,
        preview_every: int,
        seed: int,
        device: torch.device,
        folder: Path,
        watch: Timer | None = None,
        watchdog: Watchdog | None = None,
        diagnostics: Diagnostics | None = None,
        config: str = "",
        preview: Callable[[int], None] | None = None,
        team: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self.team = team
        self.model, self.recipe, self.batches, self.optimizer = model, recipe, batches, optimizer
        self.budget, self.batch_size, self.seed, self.device = budget, batch_size, seed, device
        self.checkpoint = Path(folder) / "checkpoints" / "last.pt"
        self.checkpoint_every, self.preview_every = checkpoint_every, preview_every
        self.watch, self.watchdog = watch or Timer(), watchdog
        self.diagnostics, self.preview = diagnostics, preview
        self.failures = Failures(Path(folder), config, team)
        self.step, self.rays, self.rays_seen = 0, batch_size.rays, 0
        self.start_seconds = 0.0
        # One process may draw more than it was asked for: a whole patch. Several need one each.
        self.least_rays = team.size * getattr(batches, "least_rays", 1) if team.size > 1 else 1
        self._ahead = Prefetcher(model, batches, device, seed, team)
        self.verdicts = AsyncNanCheck.on(device, recipe, team)

    @property
    def seconds(self) -> float:
        """What the start and the steps have taken by the budget's clock; previews do not count."""
        return self.team.seconds(self.watch.read(self.budget.clock))

    @property
    def at(self) -> dict[str, Any]:
        """Where on its schedules the run is, as the quantities ``step`` and ``progress``."""
        seconds = self.seconds
        return {
            "step": self.budget.scheduled_step(self.step, seconds),
            "progress": self.budget.progress(self.step, seconds),
        }

    def run(self, sinks: Loggers) -> bool:
        """Train to the end of the budget; False if interrupted first. Saves in both cases."""
        if self.step == 0:
            self.start_seconds = self.watch.read("wall")
        last = stop = None
        with SignalHandler() as interrupt, self.watch.running():
            while True:
                stop = self.team.agree(self.watch.read(self.budget.clock), interrupt.reason)
                if stop or self.budget.spent(self.step, self.seconds):
                    break
                last = report, quantities = self._train_step()
                self.step += 1
                self._check_health(quantities)
                if sinks.due(self.step):
                    self.verdicts.settle()
                    sinks.write(self.step, self._scalars(report, quantities))
                self._now_and_then()
        self.save()
        if stop:
            log.info("stopped by %s after step %d, saved", stop, self.step)
        elif last is not None:
            sinks.write_all(self.step, self._scalars(*last))
        return not stop

    def save(self) -> None:
        """Write the checkpoint: everything that a resumed run needs."""
        self.verdicts.settle()
        if self.team.first:
            checkpoint.save(self.checkpoint, self.state_dict())

    def state_dict(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "renewed": self._ahead.renewed,
            "seconds": self.watch.state_dict(),
            "start_seconds": self.start_seconds,
            "rays": self.rays,
            "samples": self.batch_size.samples,
            "rays_seen": self.rays_seen,
            "model": self.model.state_dict(),
            "recipe": self.recipe.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "watchdog": self.watchdog and self.watchdog.state_dict(),
            # Ours draws from generators of its own; a user's term may use torch's.
            "torch_rng": torch.get_rng_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.step, self.start_seconds = state["step"], state["start_seconds"]
        self._ahead.forget(state["renewed"])
        self.watch.load_state_dict(state["seconds"])
        samples = state.get("samples", self.batch_size.samples)
        self.rays_seen = state["rays_seen"]
        self.rays = max(self.least_rays, self.batch_size.rescaled_rays(state["rays"], samples))
        self.model.load_state_dict(state["model"])
        self.recipe.load_state_dict(state["recipe"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.watchdog is not None and state["watchdog"] is not None:
            self.watchdog.load_state_dict(state["watchdog"])
        torch.set_rng_state(state["torch_rng"].cpu())

    def _train_step(self) -> tuple[LossReport, Mapping[str, Any]]:
        at = self.at
        self.model.field.advance(at["step"])
        begun = self._ahead.take(self.step, self.rays)
        batch, generator = begun.batch, begun.generator
        count = int(begun.count)
        rays, samples = self.team.total(len(batch.rays), count, generator)
        self.rays_seen += rays
        self._adapt_rays(rays, samples)
        self._ahead.begin(self.step + 1, self.rays)
        attempt = self.failures.attempt(self.model, self.recipe, begun, self.step, at)
        with attempt.kept():
            quantities = self.model.render(
                replace(begun.samples, count=count),
                self.recipe.needs(at["step"]),
                given={**batch.targets, **at},
                generator=generator,
            )
            whole = self.team.whole(quantities, self.recipe.needs(at["step"]), batch)
            report = self.recipe(whole, at["step"], check_finite=not self.verdicts.late)
            if self.diagnostics is not None and self.diagnostics.due(self.step + 1):
                with self.watch.paused():
                    self.diagnostics.look(self.step + 1, report)
            # Where nothing has length and no term reads the parameters, nothing can descend.
            descends = report.total.requires_grad or self.team.size > 1
            broken = self._descend(report, at) if descends else None
        if broken is not None:
            self.verdicts.hear(broken, report, whole, attempt)
        term_metrics = self.recipe.after_step(at["step"])
        self.team.settle(self.recipe.term_modules.values())
        return replace(report, term_metrics=term_metrics), quantities

    def _descend(self, report: LossReport, at: Mapping[str, Any]) -> torch.Tensor:
        parameters = self.optimizer.parameters
        descent = self.recipe.objective(report, at["step"], parameters)
        descent = self.team.averaged(descent, parameters)
        spoiled = self.verdicts.spoiled_by(report.total)
        return self.optimizer.descend(descent, at["step"], at["progress"], spoiled)

    def _adapt_rays(self, drawn: int, samples: int) -> None:
        """Move the number of rays a tenth of the way to what the budget of samples allows.

        Fewer may have been ``drawn`` than were asked for: as many as make whole patches.
        """
        wanted = drawn * self.batch_size.samples / max(samples, 1)
        mixed = round(0.9 * self.rays + 0.1 * min(wanted, self.batch_size.max_rays))
        self.rays = max(self.least_rays, min(mixed, self.batch_size.max_rays))

    def _check_health(self, quantities: Mapping[str, Any]) -> None:
        at = self.at
        if self.watchdog is not None and self.team.first and self.optimizer.warmed_up(at["step"]):
            self.watchdog.look(self.step, at["progress"], quantities)

    def _scalars(self, report: LossReport, quantities: Mapping[str, Any]) -> dict[str, float]:
        scalars = scalars_of(report, quantities)
        scalars["rays"] *= self.team.size  # the others have as many, or one more or less
        if self.watchdog is not None:
            scalars["stuck"] = float(self.watchdog.cause is not None)
        constants = self.model.field.constants()
        seconds = self.watch.state_dict()
        stepping = max(seconds["wall"] - self.start_seconds, 1e-9)
        return {
            **scalars,
            **{name: float(value.detach()) for name, value in constants.items()},
            "rays_per_second": self.rays_seen / stepping,
            **{f"{clock}_seconds": spent for clock, spent in seconds.items()},
        }

    def _now_and_then(self) -> None:
        # The preview first: a run killed after the checkpoint then has its row of the history.
        if self.preview is not None and self.step % self.preview_every == 0:
            with self.watch.paused():
                self.preview(self.step)
        # Several processes are lost with one of them: there is to be something to go on with.
        if self.step % self.checkpoint_every == 0 or (self.step == 1 and self.team.size > 1):
            self.save()
