"""docs/conflicts.md works: its commands run in miniature, and what it says of columns holds."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from small_runs import TINY_DENSITY, TINY_SDF, assembled

from nerfloss.assembly.config_files import conf_dir
from nerfloss.cli.main import main
from nerfloss.diagnostics.gradient_logger import columns_of
from nerfloss.recipe import NonFiniteLoss

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "conflicts.md").read_text()
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
LINES = [line for block in BLOCKS for line in block.splitlines()]
COMMANDS = [line.removeprefix("nerfloss ") for line in LINES if line.startswith("nerfloss ")]
TRAIN = [line.removeprefix("train ") for line in COMMANDS if line.startswith("train ")]
OTHERS = [line for line in COMMANDS if not line.startswith("train ")]


def test_every_command_of_the_page_is_tested_here():
    assert len(COMMANDS) == len(LINES)
    assert TRAIN
    # maps: with the documented commands of all pages
    assert {line.split()[0] for line in OTHERS} == {"replay", "gradcheck", "maps"}


@pytest.mark.parametrize("command", TRAIN)
def test_its_training_commands_run(tmp_path, command):
    run = assembled(tmp_path, *shlex.split(command), "diagnostics.every=1")
    assert run.train()
    first = (tmp_path / "diagnostics.csv").read_text().splitlines()[0]
    assert "conflict/rgb/eikonal" in first.split(",")


@pytest.mark.parametrize("command", [line for line in OTHERS if line.startswith("gradcheck")])
def test_its_gradient_checks_find_nothing_wrong(command, capsys):
    small = TINY_DENSITY if "model=nerf" in command else TINY_SDF
    assert main([*shlex.split(command), *small]) == 0
    assert "right" in capsys.readouterr().out


def test_its_replay_finds_the_fault_again(tmp_path):
    bad = "+loss.terms.bad={fn: {_target_: broken_terms.not_a_number, _partial_: true}}"
    with pytest.raises(NonFiniteLoss):
        assembled(tmp_path, bad).train()
    (command,) = (line for line in OTHERS if line.startswith("replay"))
    assert main(["replay", str(tmp_path / Path(command.split()[1]).name)]) == 0


def test_its_table_lists_every_column():
    for column in columns_of(["<a>", "<b>"]):
        generic = re.sub(r"^<[ab]>/", "<term>/", column).replace("health/<a>", "health/<term>")
        generic = generic.replace("health/<b>", "health/<term>")
        assert f"`{generic}`" in PAGE, column


def test_its_thresholds_are_the_defaults():
    settings: Any = OmegaConf.load(conf_dir() / "diagnostics" / "on.yaml")
    for said in ("`window` = 20", "`dead` = 3", "`vanishing` = 0.001", "`exploding` = 100"):
        assert said in PAGE
        name, _, value = said.replace("`", "").partition(" = ")
        assert settings[name] == float(value)
