"""Code that a configuration names, and that fails: its own lines are shown, and no others."""

import sys
from pathlib import Path

import pytest

SOURCE = """\
import json

import torch


def divides(rgb, target_rgb):
    return rgb / scale_of(target_rgb)


def scale_of(colours):
    return colours.mean() / missing_name


def shapes(rgb, target_rgb):
    return (rgb[:, :2] - target_rgb).abs()


def within_a_library(rgb, target_rgb):
    return json.loads("no json")


def shadow(depth):
    return torch.zeros(len(depth)) + depth[:, 7]
"""
TINY = [
    "train", "dataset.size=8", "dataset.views=2", "dataset.test_views=1", "initialization=sphere",
    "trainer.max_steps=2", "trainer.batch_size.rays=16", "hydra.run.dir=run",
]  # fmt: skip
CASES = {
    "divides": ["return rgb / scale_of(target_rgb)", "/ missing_name", "NameError: name 'missing_"],
    "shapes": ["(rgb[:, :2] - target_rgb).abs()", "RuntimeError: The size of tensor a (2)"],
    "within_a_library": ['json.loads("no json")', "JSONDecodeError: "],
}


def term(function: str) -> str:
    return (
        f"+loss.terms.mine={{fn: {{_target_: my_losses.{function}, _partial_: true}}, weight: 1}}"
    )


@pytest.fixture(autouse=True)
def my_losses(command, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    Path("my_losses.py").write_text(SOURCE)
    monkeypatch.delitem(sys.modules, "my_losses", raising=False)


@pytest.mark.parametrize("function", CASES)
def test_the_lines_of_a_loss_that_fails_are_shown_with_what_it_takes(command, function) -> None:
    status, out, err = command(*TINY, term(function))
    assert status == 1, out + err
    shown = err[err.index("error in your own code") :]
    assert str(Path("my_losses.py").absolute()) in shown
    for text in CASES[function]:
        assert text in shown
    assert "called with rgb (16, 3), target_rgb (16, 3)\nin the loss term 'mine'\n" in shown
    # Not a line of ours, of torch or of the standard library.
    assert "nerfloss" not in shown
    assert shown.count('File "') == shown.count("my_losses.py")
    assert "Traceback" not in out + err
    log = Path("run/train.log").read_text()
    assert "Traceback" in log
    assert "recipe.py" in log


def test_so_are_those_of_a_quantity(command) -> None:
    quantity = "+quantities.shadow={_target_: my_losses.shadow, _partial_: true}"
    status, _, err = command(*TINY, quantity, "loss.terms.rgb.where=shadow")
    assert status == 1
    assert "return torch.zeros(len(depth)) + depth[:, 7]" in err
    assert "IndexError: " in err


def test_all_calls_are_shown_on_request(command) -> None:
    status, _, err = command(*TINY, term("divides"), "--traceback")
    assert status == 1
    assert "Traceback (most recent call last)" in err
    assert "recipe.py" in err


def test_a_job_of_a_sweep_names_the_line(command) -> None:
    _, *words = (word for word in TINY if not word.startswith("hydra."))
    sweep = ["seed=0,1", "hydra.sweep.dir=sweep"]
    _, out, err = command("train", "-m", *words, *sweep, term("divides"))
    said = " ".join((out + err).split())
    assert said.count("missing_name' is not defined (my_losses.py, line 11)") >= 2
