"""Weights that are changed while a run trains hold from the next step on, and are recorded."""

import json
from pathlib import Path

import pytest
from small_runs import assembled, history

from nerfloss.assembly.run import Run
from nerfloss.training.callbacks.callback import Callback
from nerfloss.training.callbacks.interventions import (
    FILE,
    Intervention,
    Interventions,
    read_interventions,
)

STEPS = ("trainer.max_steps=12", "trainer.preview_every=null", "trainer.watchdog=null")


def interventions_of(run: Run) -> Interventions:
    return next(each for each in run.trainer.callbacks if isinstance(each, Interventions))


class ChangeAt(Callback):
    """Ask for a weight when a step has ended, as somebody at the viewer would."""

    def __init__(self, asked: Interventions, step: int, term: str, weight: float) -> None:
        self.asked, self.step, self.term, self.weight = asked, step, term, weight
        self.weights: list[float] = []

    def after_step(self, trainer, step) -> None:
        self.weights.append(float(step.report.weights[self.term]))
        if trainer.step == self.step:
            self.asked.request(self.term, self.weight)


def trained(folder: Path, *overrides: str, at: int = 4) -> tuple[Run, ChangeAt]:
    run = assembled(folder, *STEPS, *overrides)
    change = ChangeAt(interventions_of(run), at, "eikonal", 0.7)
    run.trainer.callbacks.insert(0, change)
    run.train()
    return run, change


def test_a_changed_weight_holds_from_the_next_step_on_and_is_recorded(tmp_path: Path) -> None:
    _, change = trained(tmp_path)
    assert change.weights == [0.1] * 4 + [0.7] * 8
    made = Intervention(4, "eikonal", 0.1, 0.7)
    assert read_interventions(tmp_path) == [made]
    row = history(tmp_path)[-1]
    assert (row["interventions"], float(row["weight/eikonal"])) == ("1", pytest.approx(0.7))


def test_a_resumed_run_keeps_the_changed_weight(tmp_path: Path) -> None:
    trained(tmp_path)
    again = assembled(tmp_path, *STEPS, "trainer.max_steps=14")
    again.load(tmp_path / "checkpoints" / "last.pt")
    assert again.recipe.terms["eikonal"].weight == 0.7
    again.train()
    assert read_interventions(tmp_path) == [Intervention(4, "eikonal", 0.1, 0.7)]


def test_a_resumed_run_says_which_weights_are_not_those_of_its_configuration(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained(tmp_path)
    again = assembled(tmp_path, *STEPS, "trainer.max_steps=13", "loss.terms.eikonal.weight=0.3")
    again.load(tmp_path / "checkpoints" / "last.pt")
    caplog.clear()
    with caplog.at_level("INFO"):
        again.train()
    said = "weight of eikonal is 0.7 since an intervention after step 4 (configured: 0.3)"
    assert caplog.text.count(said) == 1


def test_a_changed_weight_is_refused_where_the_resumed_run_lacks_its_quantities(
    tmp_path: Path,
) -> None:
    run = assembled(tmp_path, "+loss/term@loss.terms.curvature=curvature")
    interventions = interventions_of(run)
    state = {"made": [{"step": 4, "term": "curvature", "old": 0.1, "new": 0.7}]}
    interventions.load_state_dict(state)
    off = assembled(
        tmp_path, "+loss/term@loss.terms.curvature=curvature", "loss.terms.curvature.weight=0"
    )
    with pytest.raises(ValueError, match=r"curvature needs .* which this run has not prepared"):
        interventions_of(off).load_state_dict(state)


def test_changes_after_the_checkpoint_that_is_resumed_never_were(tmp_path: Path) -> None:
    trained(tmp_path, at=12)
    assert len(read_interventions(tmp_path)) == 1
    fresh = assembled(tmp_path, *STEPS)
    fresh.train()
    assert read_interventions(tmp_path) == []
    assert not (tmp_path / FILE).exists()


def test_what_cannot_be_asked_for_is_refused(tmp_path: Path) -> None:
    run = assembled(
        tmp_path,
        "loss.terms.eikonal.weight=0",
        "+loss/term@loss.terms.curvature=curvature",
        "loss.terms.curvature.weight=0",
    )
    asked = interventions_of(run)
    with pytest.raises(ValueError, match="'eikonl' is no term of the recipe: rgb, eikonal"):
        asked.request("eikonl", 1.0)
    for weight in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="a finite number, 0 or more"):
            asked.request("rgb", weight)
    with pytest.raises(ValueError, match=r"curvature needs .* which this run has not prepared"):
        asked.request("curvature", 1.0)
    asked.request("curvature", 0.0)


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    assert read_interventions(tmp_path) == []
    (tmp_path / FILE).write_text(json.dumps({"interventions": [{"step": 1}]}))
    assert read_interventions(tmp_path) == []
