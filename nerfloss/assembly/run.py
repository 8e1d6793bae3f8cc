"""One run: begin, train, show what is being learned, evaluate."""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import rich
import torch

from nerfloss.assembly.eval_adapter import (
    evaluated_model,
    ground_truth_of,
    nearest_training_view,
    view_at,
    views_of,
)
from nerfloss.data.scene import Scene
from nerfloss.diagnostics.gradient_logger import Diagnostics
from nerfloss.evaluation.evaluator import Evaluator, write_image_grid
from nerfloss.evaluation.image_grid import image_grid
from nerfloss.evaluation.image_rendering import View
from nerfloss.evaluation.score_table import score_table
from nerfloss.evaluation.scores import Evaluation, Score
from nerfloss.evaluation.view_scores import score_view
from nerfloss.initialization.initialization import Initialization, draw_what_is_looked_at
from nerfloss.kernels.numba.compilation_notice import compilation_notice
from nerfloss.memory import OutOfMemory
from nerfloss.models import Model
from nerfloss.recipe import LossRecipe
from nerfloss.training import checkpoint
from nerfloss.training.batch_size import BatchSize
from nerfloss.training.budget import Budget
from nerfloss.training.callbacks.watchdog import Watchdog
from nerfloss.training.distributed.distributed_evaluation import evaluated
from nerfloss.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from nerfloss.training.distributed.torchrun_env import program
from nerfloss.training.loggers.console import Console
from nerfloss.training.loggers.csv_logger import CsvLogger
from nerfloss.training.loggers.logger import Loggers
from nerfloss.training.loggers.tensorboard import TensorBoardLogger
from nerfloss.training.oom_hints import advised
from nerfloss.training.optimizer import Optimizer
from nerfloss.training.timer import CLOCKS, Timer
from nerfloss.training.trainer import Trainer

log = logging.getLogger(__name__)


class Run:
    """A scene, a model and a recipe that fit, in a folder of their own."""

    def __init__(
        self,
        *,
        scene: Scene,
        model: Model,
        recipe: LossRecipe,
        batch: Callable[..., Any],
        optimizer: Callable[..., Optimizer],
        budget: Budget,
        batch_size: BatchSize,
        checkpoint_every: int,
        preview_every: int,
        watchdog: Watchdog | None,
        diagnostics: Diagnostics | None,
        evaluator: Evaluator,
        initialization: Initialization,
        seed: int,
        device: torch.device,
        folder: Path,
        config: str = "",
        settings: Mapping[str, Any] | None = None,
        team: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self.team = team
        self.diagnostics, self.settings = diagnostics, settings or {}
        scene = scene.learned_by(model.field)
        scene = replace(scene, train=scene.train.settled(device))
        self.scene, self.model, self.evaluator = scene, model, evaluator
        self.initialization, self.seed, self.folder = initialization, seed, Path(folder)
        groups = model.parameter_groups()
        own = recipe.trainable_parameters()
        watch = Timer()
        with watch.running():
            batches = batch(
                scene.train,
                background=scene.background,
                seed=seed,
                device=device,
                needs=model.primitives(recipe.all_needs()),
            )
        self.trainer = Trainer(
            model,
            recipe,
            batches,
            optimizer({**groups, "recipe": own} if own else groups),
            budget=budget,
            batch_size=batch_size.times(team.size),
            checkpoint_every=checkpoint_every,
            preview_every=preview_every,
            seed=seed,
            device=device,
            folder=self.folder,
            watch=watch,
            watchdog=watchdog,
            diagnostics=diagnostics,
            config=config,
            preview=self.preview if team.first else None,
            team=team,
        )
        self._sinks = Loggers()

    def load(self, path: Path) -> None:
        """Put everything into the state that a checkpoint holds."""
        self.trainer.load_state_dict(checkpoint.load(path, self.trainer.device))

    def train(self) -> bool:
        """Train to the end of the budget; return False if a signal stopped the run first."""
        with compilation_notice() if self.team.first else nullcontext():
            return self._train()

    def _train(self) -> bool:
        trainer = self.trainer
        with self.advised(), trainer.watch.running():
            if trainer.step == 0 and self.team.first:
                scene = self.scene
                self.initialization(
                    self.model, scene.train, background=scene.background, seed=self.seed
                )
            self.team.level(trainer)
            draw_what_is_looked_at(trainer.batches, self.model)
        if self.diagnostics is not None and self.team.size > 1:
            parameters = trainer.optimizer.parameters
            self.diagnostics.join(trainer.recipe, parameters, self.team.mean_rows)
        self._sinks = self._open_sinks() if self.team.first else Loggers()
        with self._sinks, self.advised():
            finished = trainer.run(self._sinks)
        if not finished and self.team.first:
            # Unwrapped: a command to be copied.
            command = f"go on with: {program()} trainer.resume={self.folder}"
            rich.get_console().print(command, soft_wrap=True, highlight=False, markup=False)
        return finished

    def _open_sinks(self) -> Loggers:
        """What the run writes while it trains; its diagnostics begin, too."""
        trainer = self.trainer
        start = trainer.step + 1
        tensorboard = TensorBoardLogger(self.folder / "tensorboard", start=start)
        if self.diagnostics is not None:
            parameters = trainer.optimizer.parameters
            self.diagnostics.begin(
                self.folder, trainer.recipe, parameters, start=start, curves=tensorboard
            )
        timed = trainer.budget.max_seconds is not None
        return Loggers(
            [
                Console(
                    trainer.budget.max_steps,
                    progress=(lambda: trainer.at["progress"]) if timed else None,
                ),
                CsvLogger(self.folder / "history.csv", start=start),
                tensorboard,
            ]
        )

    def preview(self, step: int) -> None:
        """Render the first test view as it is learned so far, for the console and TensorBoard."""
        metrics = {k: m for k, m in self.evaluator.metrics.items() if k == "psnr"}
        subject = self.subject()

        def seen(view: View) -> tuple[Mapping[str, Any], dict[str, float]]:
            found = self.evaluator.render_quantities(
                subject, view, metrics=metrics, for_image_grid=True
            )
            scores = score_view(metrics, found, subject.offers)
            return found, {k: s.value for k, s in scores.items() if s.value is not None}

        view = view_at(self.scene, "test", 0)
        try:
            quantities, scores = seen(view)
        except OutOfMemory as error:
            log.warning("no preview at step %d: %s", step, error)
            return
        self._sinks.image(step, f"test/{view.name}", image_grid(quantities))
        self._sinks.write_all(step, {f"test/{k}": value for k, value in scores.items()})
        if self.diagnostics is not None and scores:
            _, trained = seen(view_at(self.scene, "train", nearest_training_view(self.scene, 0)))
            self.diagnostics.gap(step, trained["psnr"], scores["psnr"])
        write_image_grid(quantities, self.folder / "images" / "preview" / f"{step:07d}.png")

    def advised(self) -> AbstractContextManager[None]:
        """Where memory runs out, the error says what to lower."""
        return advised(self.folder, self.settings)

    def subject(self) -> Any:
        """The model as it is now, as the evaluator wants it."""
        return evaluated_model(self.model, self.trainer.at, self.scene.train)

    def evaluate(self, folder: Path | None = None) -> Evaluation:
        """Judge the model, write metrics.json, images and meshes, and print a table of scores."""
        team, scene = self.team, self.scene
        subject = evaluated_model(self.model, team.same(self.trainer.at), scene.train)
        folder = team.same(folder or self.folder)
        views = views_of(scene, self.evaluator.split, first=team.rank, every=team.size)
        truth = ground_truth_of(scene, subject.box) if team.first else None
        found = evaluated(team, self.evaluator, subject, views, truth, folder)
        result = replace(found, scores={**found.scores, **self._cost(), "stuck": self._stuck()})
        if not team.first:
            return result
        title = f"{scene.name}, {self.evaluator.split} views, step {self.trainer.step}"
        rich.print(score_table(result.as_json(), title=title))
        result.write(folder)  # last: where the disk is full, the scores have been seen
        log.info("wrote %s", folder)
        return result

    def _cost(self) -> dict[str, Score]:
        """What the start and the steps took, by each clock; data and evaluation do not count."""
        said = {"units": "s", "better": "lower"}
        spent = {clock: self.trainer.watch.read(clock) for clock in CLOCKS}
        return {
            "train_seconds": Score(spent["wall"], {**said, "clock": "wall"}),
            "train_cpu_seconds": Score(spent["cpu"], {**said, "clock": "cpu"}),
        }

    def _stuck(self) -> Score:
        """1 where the watchdog saw the run stuck to its end, else 0, and what it ever said."""
        watchdog = self.trainer.watchdog
        if watchdog is None:
            return Score(None, {"better": "lower"}, "nobody watched (trainer.watchdog=null)")
        said = "; ".join(watchdog.seen.values())
        return Score(float(watchdog.cause is not None), {"better": "lower"}, said or None)


def main_score(result: Evaluation) -> float | None:
    """The number for a sweeper that optimises one: PSNR on the views that were judged."""
    scores: Mapping[str, float] = result.values
    return scores.get("psnr")
