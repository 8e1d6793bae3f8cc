"""The viewer of a training: nothing of it changes what is learned, except changed weights."""

import threading
import time
from pathlib import Path

import pytest
import torch
from small_runs import assembled

from nerfloss.assembly.run import Run
from nerfloss.assembly.viewer.training_viewer import TrainingViewer
from nerfloss.training.callbacks.callback import Callback

pytest.importorskip("viser", reason="the extra 'viewer' is missing")
STEPS = ("trainer.max_steps=6", "trainer.preview_every=null")
ON = ("viewer=on", "viewer_port=0")


class Render(Callback):
    """Render what is shown after every step, as for a browser."""

    def __init__(self, viewer: TrainingViewer) -> None:
        self.viewer, self.shown = viewer, 0

    def after_step(self, trainer, step) -> None:  # noqa: ARG002
        current = self.viewer._current()
        for mode in ("error", "loss: eikonal"):
            for found in current.maps[mode](mode, 0):
                self.shown += found is not None


def viewer_of(run: Run) -> TrainingViewer:
    return next(each for each in run.trainer.callbacks if isinstance(each, TrainingViewer))


def test_a_watched_run_learns_the_same_to_the_bit(tmp_path: Path) -> None:
    off = assembled(tmp_path / "off", *STEPS)
    off.train()
    on = assembled(tmp_path / "on", *STEPS, *ON)
    watching = Render(viewer_of(on))
    on.trainer.callbacks.append(watching)
    on.train()
    assert watching.shown == 12
    for name, value in off.model.field.named_parameters():
        assert torch.equal(value, dict(on.model.field.named_parameters())[name]), name


def test_a_paused_run_waits_and_goes_on(tmp_path: Path) -> None:
    run = assembled(tmp_path, *STEPS, *ON)
    viewer = viewer_of(run)

    class PauseFirst(Callback):
        def after_step(self, trainer, step) -> None:  # noqa: ARG002
            if trainer.step == 2:
                viewer.panel._toggle()

    run.trainer.callbacks.insert(0, PauseFirst())
    worker = threading.Thread(target=run.train)
    worker.start()
    until = time.monotonic() + 120
    while run.trainer.step < 2 and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1)  # the callbacks of the step
    before = run.trainer.timer.read("wall")
    worker.join(timeout=2)
    assert worker.is_alive(), "it waits"
    assert run.trainer.step == 2
    paused = run.trainer.timer.read("wall") - before
    viewer.panel._toggle()
    worker.join(timeout=60)
    assert not worker.is_alive()
    assert run.trainer.step == 6
    assert paused < 1, "the pause does not count as training time"


def test_a_weight_that_is_applied_in_the_panel_is_requested(tmp_path: Path) -> None:
    run = assembled(tmp_path, *STEPS, *ON)
    viewer = viewer_of(run)

    class Apply(Callback):
        def after_step(self, trainer, step) -> None:  # noqa: ARG002
            if trainer.step == 3:
                viewer.panel._fields["eikonal"].value = "2.5e-1"
                viewer.panel._apply()

    run.trainer.callbacks.insert(0, Apply())
    run.train()
    assert [(i.step, i.new) for i in viewer.interventions.made] == [(3, 0.25)]
    assert run.recipe.terms["eikonal"].weight == 0.25


@pytest.mark.parametrize(
    ("typed", "said"), [("-1", "0 or more"), ("nan", "finite"), ("1,5", "'1,5': give a number")]
)
def test_what_is_no_weight_is_said_in_the_panel(tmp_path: Path, typed: str, said: str) -> None:
    run = assembled(tmp_path, *STEPS, *ON)
    viewer = viewer_of(run)

    class Apply(Callback):
        def after_step(self, trainer, step) -> None:  # noqa: ARG002
            if trainer.step == 3:
                viewer.panel._fields["eikonal"].value = typed
                viewer.panel._apply()

    run.trainer.callbacks.insert(0, Apply())
    run.train()
    assert said in viewer.panel._note.content
    assert viewer.interventions.made == []


def test_the_viewer_is_off_by_default_and_its_values_are_checked(tmp_path: Path) -> None:
    assert not any(isinstance(c, TrainingViewer) for c in assembled(tmp_path).trainer.callbacks)
    with pytest.raises(ValueError, match="viewer=maybe"):
        assembled(tmp_path, "viewer=maybe")
