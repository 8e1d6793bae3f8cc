"""``nerfloss`` as a command: help, version, lists and completion."""

import re
import subprocess
from pathlib import Path

import pytest

from nerfloss import __version__
from nerfloss.assembly.config_groups import config_groups
from nerfloss.cli.list_parts import NAMES
from nerfloss.cli.main import COMMANDS
from nerfloss.cli.program_help import TRAIN_SETTINGS, help_of
from nerfloss.cli.reference.completion_scripts import completion_script

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("words", [["--version"], ["train", "--version"], ["eval", "--version"]])
def test_every_program_has_a_version(command, words) -> None:
    status, out, _ = command(*words)
    assert (status, out) == (0, f"nerfloss {__version__}\n")


def test_the_help_lists_every_command_with_a_line(command) -> None:
    status, out, _ = command("--help")
    assert status == 0
    for group, names in COMMANDS.items():
        assert f"{group}:" in out
        for name in names:
            assert re.search(rf"^  {name} +\w+ \w+", out, re.MULTILINE)


@pytest.mark.parametrize("width", [60, 100, 200])
def test_the_help_of_train_fits_the_terminal_and_has_every_group(width: int) -> None:
    text = help_of("train", width)
    for group in config_groups():
        assert group.startswith("hardware/") or re.search(rf"^  {group} ", text, re.MULTILINE)
    lines = text.split("Examples:")[0].split("Groups and their choices:")[1].splitlines()
    assert max(map(len, lines)) <= max(width, 80)
    assert len(text.splitlines()) < 90


def test_every_setting_in_the_help_exists(command) -> None:
    _, out, _ = command("train", "--cfg", "job", "dataset=blender")
    for typed in TRAIN_SETTINGS:
        last = typed.partition("=")[0].rpartition(".")[2].rpartition("/")[2]
        assert f"{last}:" in out or typed.startswith("hydra."), typed


def test_flags_of_hydra_keep_working(command) -> None:
    status, out, _ = command("train", "--cfg", "job", "--package", "trainer")
    assert status == 0
    assert "max_steps: 2400" in out
    status, out, _ = command("train", "--hydra-help")
    assert status == 0
    assert "Hydra" in out


@pytest.mark.parametrize("kind", [*NAMES, "model", "loss/balancer"])
def test_each_kind_of_part_is_listed_with_a_line(command, kind: str) -> None:
    status, out, err = command("list", kind)
    assert status == 0, err
    group = NAMES.get(kind, kind)
    for choice in config_groups()[group]:
        assert re.search(rf"^ +{choice}\b.* \w+", out, re.MULTILINE), f"{choice} is not described"


def test_completion_knows_commands_groups_choices_and_settings(tmp_path: Path) -> None:
    script = tmp_path / "complete.bash"
    script.write_text(completion_script("bash"))

    def completed(line: str) -> list[str]:
        code = (
            f"compopt() {{ :; }}; source {script}; COMP_LINE='{line}'; COMP_POINT={len(line)}; "
            "COMP_WORDBREAKS=' ='; _nerfloss; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True)
        assert done.stderr == ""
        return done.stdout.split()

    assert completed("nerfloss tr") == ["train"]
    assert "model=nerf" in completed("nerfloss train mod")
    assert completed("nerfloss train model=ne") == ["nerf", "neus"]
    assert completed("nerfloss train trainer.max_st") == ["trainer.max_steps="]
    assert completed("nerfloss completion z") == ["zsh"]
    for shell in ("zsh", "fish"):
        assert "model=nerf" in completion_script(shell)
