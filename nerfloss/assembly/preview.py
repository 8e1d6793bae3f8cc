"""Preview: render a test view during training, for the console and TensorBoard."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nerfloss.assembly.eval_adapter import evaluated_model, nearest_training_view, view_at
from nerfloss.assembly.refined_evaluation import refined_scene
from nerfloss.data.scene import Scene
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.image_grid import image_grid, write_image_grid
from nerfloss.evaluation.image_rendering import View
from nerfloss.evaluation.view_scores import score_view
from nerfloss.memory import OutOfMemory
from nerfloss.models import Model
from nerfloss.training.callbacks.callback import Callback, CallbackContext, TrainerState
from nerfloss.training.loggers.logger import Loggers
from nerfloss.training.step import Step

log = logging.getLogger(__name__)

MOST_PIXELS = 200_000  # of a preview: of larger images every n-th row and column


class Preview(Callback):
    """Render and score the first test view every ``every`` steps.

    Previews do not count as training time. One that runs out of memory is skipped with a warning.
    """

    def __init__(self, scene: Scene, model: Model, evaluator: Evaluator, *, every: int) -> None:
        if every < 1:
            raise ValueError(f"trainer.preview_every must be at least 1, got {every}")
        self.scene, self.model, self.evaluator, self.every = scene, model, evaluator, every

    def setup(self, context: CallbackContext) -> None:
        self._loggers: Loggers = context.loggers
        self._folder: Path = context.folder / "images" / "preview"

    def after_step(self, trainer: TrainerState, step: Step) -> None:  # noqa: ARG002
        if trainer.step % self.every == 0:
            with trainer.timer.paused():
                self.render(trainer)

    def render(self, trainer: TrainerState) -> None:
        """Render the view, log its scores, and write its picture."""
        schedule, step = vars(trainer.schedule), trainer.step
        view = view_at(self.scene, "test", 0).thinned(MOST_PIXELS)
        try:
            quantities, scores = self._scored(view, "test", schedule)
        except OutOfMemory as error:
            log.warning("no preview at step %d: %s", step, error)
            return
        self._loggers.image(step, f"test/{view.name}", image_grid(quantities))
        self._loggers.write_all(step, {f"test/{k}": value for k, value in scores.items()})
        if "psnr" in scores:
            refined = refined_scene(self.scene, self.model)
            index = nearest_training_view(self.scene, 0)
            nearest = view_at(refined, "train", index).thinned(MOST_PIXELS)
            for callback in trainer.callbacks:
                callback.after_preview(
                    step,
                    scores["psnr"],
                    lambda: self._scored(nearest, "train", schedule)[1]["psnr"],
                )
        write_image_grid(quantities, self._folder / f"{step:07d}.png")

    def _scored(
        self, view: View, split: str, schedule: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], dict[str, float]]:
        """Return the rendered quantities of a view, and its PSNR if that is among the metrics."""
        metrics = {k: m for k, m in self.evaluator.metrics.items() if k == "psnr"}
        subject = evaluated_model(self.model, schedule, self.scene.train, split=split)
        quantities = self.evaluator.render_quantities(
            subject, view, metrics=metrics, for_image_grid=True
        )
        scores = score_view(metrics, quantities, subject.offers)
        return quantities, {k: s.value for k, s in scores.items() if s.value is not None}
