"""docs/your_own_loss.md works: its files are a package outside of ours, its commands run."""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_runs import assembled, tiny

from nerfloss.recipe import RecipeError

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "your_own_loss.md").read_text()
PACKAGE = Path(__file__).parent / "own_package"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = [
    line.removeprefix("python train.py ")
    for language, block in BLOCKS
    for line in block.splitlines()
    if language == "bash" and line.startswith("python train.py ")
]
SEARCH = "hydra.searchpath=[pkg://mylab.conf]"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The package, where a user has it: not in our repository."""
    folder = tmp_path_factory.mktemp("elsewhere") / "mylab"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def installed(copy, monkeypatch):
    """Python finds the package, as after ``pip install -e``, until the test ends."""
    monkeypatch.syspath_prepend(copy)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "mylab"]:
        del sys.modules[name]


def program(copy, *words, folder=ROOT):
    """Run a program as a user who has installed the package; what it printed."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_page_shows_every_file_of_the_package_as_it_is():
    shown = dict(block.removeprefix("# ").split("\n", 1) for _, block in BLOCKS if block[0] == "#")
    files = {
        str(path.relative_to(PACKAGE)): path.read_text()
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in (".py", ".yaml", ".toml") and path.read_text()
    }
    assert {name: shown.get(name) for name in files} == files


def test_every_file_of_the_package_is_drawn_in_the_tree():
    tree = PAGE.split("```\n")[1]
    for path in PACKAGE.rglob("*.*"):
        if path.suffix in (".py", ".toml"):
            assert path.name in tree


@pytest.mark.slow
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_trains(tmp_path, command):
    run = assembled(tmp_path, "eval.mesh=null", "eval.images=false", *shlex.split(command))
    assert run.train()
    assert run.trainer.step == 2
    if "mean_spread" in run.evaluator.metrics:
        assert run.evaluate().values["mean_spread"] > 0


@pytest.mark.usefixtures("installed")
def test_a_setting_that_cannot_work_is_refused_as_the_page_says(tmp_path):
    asked, *said = PAGE.split("```\n$ python train.py ")[1].split("\n```")[0].splitlines()
    with pytest.raises(RecipeError) as caught:
        assembled(tmp_path, *shlex.split(asked))
    assert f"RecipeError: {caught.value}".splitlines() == said


@pytest.mark.usefixtures("installed")
def test_what_the_class_keeps_learns_apart_and_is_saved(tmp_path):
    run = assembled(tmp_path, SEARCH, "loss/term@loss.terms.rgb=inliers")
    recipe = run.trainer.recipe
    assert recipe.trainable_parameters() == []
    scale = recipe.terms["rgb"].fn.scale.item()
    assert run.train()
    learned = recipe.terms["rgb"].fn
    assert learned.scale.item() != scale
    again = assembled(tmp_path, SEARCH, "loss/term@loss.terms.rgb=inliers")
    again.load(tmp_path / "checkpoints" / "last.pt")
    loaded = again.trainer.recipe.terms["rgb"].fn
    assert loaded.scale.item() == learned.scale.item()
    moments = [term.optimizer.state_dict()["state"][0] for term in (learned, loaded)]
    assert moments[0]["exp_avg_sq"].item() == moments[1]["exp_avg_sq"].item() > 0


@pytest.mark.slow
def test_its_own_tests_pass_where_it_lies(copy):
    program(copy, "-m", "pytest", "-q", "tests", folder=copy)


@pytest.mark.slow
def test_the_programs_train_with_all_of_it_and_score_the_run_again(copy, tmp_path):
    words = ["experiment=mylab", *tiny(), "eval.images=false", "eval.mesh=null"]
    program(copy, "train.py", SEARCH, *words, f"hydra.run.dir={tmp_path}")
    with open(tmp_path / "history.csv") as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["loss/colour"]) > 0
    assert float(last["loss/spread"]) > 0
    scores = json.loads((tmp_path / "metrics.json").read_text())
    assert scores["mean_spread"] > 0
    program(copy, "eval.py", f"run={tmp_path}")
    again = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert again["mean_spread"] == scores["mean_spread"]
