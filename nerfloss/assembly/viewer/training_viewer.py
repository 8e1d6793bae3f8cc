"""The viewer of a run in training: renders between steps, pauses, and takes changed weights."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nerfloss.assembly.loss_maps import batch_constants
from nerfloss.assembly.viewer.path_panel import PathPanel
from nerfloss.assembly.viewer.server import start_server
from nerfloss.assembly.viewer.shown_model import ShownParts
from nerfloss.assembly.viewer.training_panel import TrainingPanel
from nerfloss.assembly.viewer.view_modes import ShownModel
from nerfloss.assembly.viewer.viewer import Viewer
from nerfloss.assembly.viewer.viewer_address import ViewerAddress, address_line
from nerfloss.training.callbacks.callback import Callback, CallbackContext, TrainerState
from nerfloss.training.callbacks.interventions import Interventions
from nerfloss.training.prefetch import PreparedStep
from nerfloss.training.step import Step

log = logging.getLogger(__name__)

SHARP = 160  # pixels of the longer side at first: renewed every ten seconds or so
MOVING_SECONDS = 0.1  # rendered between two steps while a camera moves
STILL_SHARE = 0.03  # of the training time that is rendered while all cameras stand still
MOST_SAVED = 0.3  # seconds of that which are saved up at most
PLOT_SECONDS = 2.0  # between two updates of the plots
IDLE_SECONDS = 0.1


class TrainingViewer(Callback):
    """Serve the viewer while a run trains.

    The training's own thread renders, between two steps: a tenth of a second at a time while a
    camera moves and until its picture is sharp, a thirtieth of the time while all stand still,
    nothing without a browser. None of it counts as training time, and nothing of it changes what
    is learned, except changed weights.
    """

    def __init__(
        self,
        address: ViewerAddress,
        parts: ShownParts,
        interventions: Interventions,
    ) -> None:
        self.address, self.parts, self.interventions = address, parts, interventions
        self._given: Mapping[str, Any] = parts.given
        self._at: dict[str, Any] = {"step": 0, "progress": 0.0}
        self._saved, self._last, self._plotted = 0.0, time.monotonic(), 0.0
        self._made = 0

    def setup(self, context: CallbackContext) -> None:
        """Start the server. Raises the errors of `start_server`."""
        self._loggers = context.loggers
        self._at["step"] = context.start - 1
        rule = self.address.rule()
        server = start_server(rule, self.address.port, f"nerfloss: {context.folder.name}")
        chunk = self.parts.evaluator.chunk
        self.viewer = Viewer(server, self._current, chunk=chunk, sharp=SHARP)
        changed = self.viewer.wake.set
        self.panel = TrainingPanel(server.gui, self.interventions, changed)
        PathPanel(self.viewer, context.folder, None)
        log.info("viewer: %s", address_line(rule, server.get_port()))

    def before_forward(self, trainer: TrainerState, inputs: PreparedStep) -> None:  # noqa: ARG002
        # Of any batch, and not of the first alone: what holds all views may be renewed.
        self._given = batch_constants(inputs.batch.targets)

    def after_step(self, trainer: TrainerState, step: Step) -> None:
        self._at = vars(trainer.schedule)
        if self._loggers.due(trainer.step):  # read then anyway
            self.panel.note(trainer.step, _weighted(step))
        if len(self.interventions.made) != self._made:
            self._made = len(self.interventions.made)
            self.panel.show_weights()
        now = time.monotonic()
        self._saved = min(MOST_SAVED, self._saved + STILL_SHARE * (now - self._last))
        if self.viewer.is_watched or self.panel.paused:
            with trainer.timer.paused():
                self._serve(now)
                self._pause(trainer)
        self._last = time.monotonic()

    def after_training(self, trainer: TrainerState, *, interrupted: bool) -> None:  # noqa: ARG002
        self.viewer.close()

    def _current(self) -> ShownModel:
        return replace(self.parts, given=self._given).at(self._at)

    def _serve(self, now: float) -> None:
        """Render for as long as may be now, and send the plots."""
        if self.viewer.moves:
            self.viewer.work(MOVING_SECONDS)
        elif self._saved > 0:
            self.viewer.learned()
            self.viewer.work(self._saved)
            self._saved -= time.monotonic() - now
        if now - self._plotted > PLOT_SECONDS:
            self._plotted = now
            self.panel.plot()

    def _pause(self, trainer: TrainerState) -> None:
        """Wait until the panel says to go on, or a signal to stop; render meanwhile."""
        if not self.panel.paused:
            return
        log.info("paused in the viewer after step %d", trainer.step)
        self.panel.plot()
        while self.panel.paused and not trainer.stop_requested:
            if not self.viewer.work(1.0):
                self.viewer.wake.wait(IDLE_SECONDS)
                self.viewer.wake.clear()
        if not trainer.stop_requested:
            log.info("training goes on")


def _weighted(step: Step) -> dict[str, float]:
    """Return the weighted loss of each term of a step."""
    scalars = step.report.scalars()
    names = step.report.values
    return {name: scalars[f"loss/{name}"] * scalars[f"weight/{name}"] for name in names}
