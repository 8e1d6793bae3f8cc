"""A run: initialize, train, evaluate."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import rich
import torch

from nerfloss.assembly.eval_adapter import evaluated_model, views_of
from nerfloss.assembly.generalization import generalization_gap
from nerfloss.assembly.known_truth import known_truth
from nerfloss.assembly.refined_evaluation import refined_scene, with_refined_cameras
from nerfloss.assembly.views_to_score import chosen_views, log_what_is_scored
from nerfloss.data.pixel_samplers.protocol import PixelSampler
from nerfloss.data.scene import Scene
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.inputs import EvaluatedModel
from nerfloss.evaluation.score_table import score_table
from nerfloss.evaluation.scores import Evaluation, Score
from nerfloss.files import relative_to_cwd
from nerfloss.initialization.initialization import Initialization, restrict_pixels
from nerfloss.kernels.numba.compilation_notice import compilation_notice
from nerfloss.models import Model
from nerfloss.recipe import LossRecipe
from nerfloss.training import checkpoint
from nerfloss.training.callbacks.callback import CallbackContext
from nerfloss.training.callbacks.watchdog import Watchdog
from nerfloss.training.distributed.distributed_evaluation import distributed_evaluation
from nerfloss.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from nerfloss.training.distributed.torchrun_env import launch_command
from nerfloss.training.loggers.console import Console
from nerfloss.training.loggers.csv_logger import CsvLogger
from nerfloss.training.loggers.logger import Loggers
from nerfloss.training.loggers.tensorboard import TensorBoardLogger
from nerfloss.training.no_step_warning import warn_of_no_step
from nerfloss.training.oom_hints import oom_hints
from nerfloss.training.timer import CLOCKS
from nerfloss.training.trainer import STATE, Trainer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunSettings:
    """Values of a run: its folder, device and seed, and its whole configuration."""

    folder: Path
    device: torch.device
    seed: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)


class Run:
    """A scene, a model, a recipe and a trainer that fit, with a folder of their own."""

    def __init__(
        self,
        settings: RunSettings,
        *,
        scene: Scene,
        recipe: LossRecipe,
        trainer: Trainer,
        initialization: Initialization,
        evaluator: Evaluator,
        watchdog: Watchdog | None = None,
        process_group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self.settings, self.scene, self.recipe, self.trainer = settings, scene, recipe, trainer
        self.initialization, self.evaluator, self.watchdog = initialization, evaluator, watchdog
        self.process_group = process_group

    @property
    def folder(self) -> Path:
        return self.settings.folder

    @property
    def model(self) -> Model:
        model = self.trainer.model
        assert isinstance(model, Model)
        return model

    @property
    def batches(self) -> PixelSampler:
        batches = self.trainer.inputs.batches
        assert isinstance(batches, PixelSampler)
        return batches

    def load(self, path: Path, changed: Sequence[str] = ()) -> None:
        """Restore the state that a checkpoint holds; CheckpointError where it is not this run's.

        ``changed`` are the overrides with which the run differs from the one that wrote it.
        """
        with checkpoint.fitting(path, changed):
            self.trainer.load_state_dict(checkpoint.load(path, self.settings.device, parts=STATE))

    def save(self) -> None:
        """Write a checkpoint of the current state to the run's folder."""
        self.trainer.flush()
        checkpoint.save(self.folder / "checkpoints" / "last.pt", self.trainer.state_dict())

    def initialize(self) -> None:
        """Give an untrained model its initial geometry; all processes get the same."""
        trainer = self.trainer
        with trainer.timer.running():
            if trainer.step == 0 and self.process_group.is_main:
                views, background = self.scene.train, self.scene.background
                seed = self.settings.seed
                self.initialization(self.model, views, background=background, seed=seed)
            self.process_group.broadcast_state(trainer)
            restrict_pixels(self.batches, self.model)

    def train(self, loggers: Loggers | None = None) -> bool:
        """Train to the end of the budget; return False if a signal interrupted the run.

        ``loggers`` replaces the default ones: console, history.csv and TensorBoard.
        """
        timer, is_main = self.trainer.timer, self.process_group.is_main
        notice = compilation_notice(during=timer.paused) if is_main else nullcontext()
        begun_at = self.trainer.step
        with notice, oom_hints(self.folder, self.settings.config):
            self.initialize()
            with loggers or self._open_loggers() as loggers:
                self._set_up_callbacks(loggers)
                interrupted = self.trainer.run()
        if interrupted is None:
            if self.process_group.is_main and self.trainer.step == begun_at:
                warn_of_no_step(begun_at, self.trainer.clock.budget)
            return True
        if self.process_group.is_main:
            log.info("stopped by %s after step %d, saved", interrupted, self.trainer.step)
            # Not wrapped: a command to be copied.
            command = f"resume with: {launch_command()} trainer.resume={self.folder}"
            rich.get_console().print(command, soft_wrap=True, highlight=False, markup=False)
        return False

    def subject(self) -> EvaluatedModel:
        """Return the model in its current state, for the evaluator."""
        return self._subject(vars(self.trainer.schedule))

    def evaluate(self, folder: Path | None = None) -> Evaluation:
        """Score the model, write metrics.json, images and meshes, and print a table of scores."""
        group, split = self.process_group, self.evaluator.split
        scene = refined_scene(self.scene, self.model)
        schedule = group.broadcast(vars(self.trainer.schedule))
        subject = self._subject(schedule)
        folder = group.broadcast(folder or self.folder)
        chosen = chosen_views(scene, self.evaluator, group.broadcast(self.trainer.rays_seen))
        if group.is_main:
            log_what_is_scored(subject, self.evaluator, chosen)
        views = views_of(scene, split, chosen.indices[group.rank :: group.size])
        truth = known_truth(scene, subject, self.evaluator, chosen) if group.is_main else None
        found = distributed_evaluation(group, self.evaluator, subject, views, truth, folder)
        found = with_refined_cameras(
            found, self.model, subject, self.scene, self.evaluator, schedule, group, chosen
        )
        gap = generalization_gap(self.evaluator, subject, scene, found) if group.is_main else {}
        scores = {**found.scores, **gap, **self._cost(), "stuck": self._stuck()}
        result = replace(found, scores=scores)
        if not group.is_main:
            return result
        title = f"{scene.name}, {split} views, step {self.trainer.step}"
        rich.print(score_table(result.as_json(), title=title))
        result.write(folder)  # last: the scores are printed even where the disk is full
        log.info("wrote %s", relative_to_cwd(folder))
        if self.evaluator.video:
            from nerfloss.assembly.rendering.run_video import write_orbit

            write_orbit(self.model, schedule, self.scene, self.evaluator, folder)
        return result

    def _subject(self, schedule: Mapping[str, Any]) -> EvaluatedModel:
        split, appearance = self.evaluator.split, self.evaluator.appearance
        training = refined_scene(self.scene, self.model).train
        return evaluated_model(self.model, schedule, training, split=split, appearance=appearance)

    def _open_loggers(self) -> Loggers:
        """Return the loggers of the main process; none for the others."""
        if not self.process_group.is_main:
            return Loggers()
        trainer, folder, start = self.trainer, self.folder, self.trainer.step + 1
        budget = trainer.clock.budget
        progress = None if budget.max_seconds is None else lambda: trainer.schedule.progress
        console = Console(budget.max_steps, progress=progress)
        history = CsvLogger(folder / "history.csv", start=start)
        tensorboard = TensorBoardLogger(folder / "tensorboard", start=start)
        return Loggers([console, history, tensorboard], curves=tensorboard)

    def _set_up_callbacks(self, loggers: Loggers) -> None:
        context = CallbackContext(
            folder=self.folder,
            start=self.trainer.step + 1,
            recipe=self.recipe,
            parameters=self.trainer.optimizer.parameters,
            loggers=loggers,
            process_group=self.process_group,
        )
        for callback in self.trainer.callbacks:
            callback.setup(context)

    def _cost(self) -> dict[str, Score]:
        """Return the time of initialization and training by each clock, without evaluation."""
        conventions = {"units": "s", "better": "lower"}
        seconds = {clock: self.trainer.timer.read(clock) for clock in CLOCKS}
        return {
            "train_seconds": Score(seconds["wall"], {**conventions, "clock": "wall"}),
            "train_cpu_seconds": Score(seconds["cpu"], {**conventions, "clock": "cpu"}),
        }

    def _stuck(self) -> Score:
        """Return 1 where the watchdog's last check found the run stuck, else 0, with messages."""
        if self.watchdog is None:
            return Score(None, {"better": "lower"}, "no watchdog (trainer.watchdog=null)")
        messages = "; ".join(self.watchdog.seen.values())
        return Score(float(self.watchdog.cause is not None), {"better": "lower"}, messages or None)
