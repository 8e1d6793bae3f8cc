"""The commands on the pages about comparing and weights: they compose, and say what is promised."""

import itertools
import re
import shlex
from pathlib import Path

import pytest
from small_runs import composed
from written_runs import write_run

from nerfloss.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
PAGES = ("comparing.md", "weights.md")
SWEPT = re.compile(r"([\w./]+)=([^\[\],]+(?:,[^\[\],]+)+)")


def commands(program: str) -> list[str]:
    """The lines of the pages' code blocks that start with this program."""
    blocks = [
        block
        for page in PAGES
        for block in re.findall(r"```\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    ]
    lines = [line for block in blocks for line in block.splitlines()]
    return list(dict.fromkeys(line for line in lines if line.startswith(program)))


@pytest.mark.parametrize("command", commands("python train.py"))
def test_every_run_of_a_page_composes(command) -> None:
    words = [word for word in shlex.split(command)[2:] if word != "-m"]
    assert "seeds=[0,1,2]" in words, "these pages are about seeds"
    fixed = [w for w in words if not w.startswith("seeds=") and not SWEPT.fullmatch(w)]
    swept = [m for m in map(SWEPT.fullmatch, words) if m]
    assert swept, "and compare something"
    choices = [[f"{m[1]}={value}" for value in m[2].split(",")] for m in swept]
    for job in itertools.product(*choices):
        cfg = composed(*fixed, *job)
        assert cfg.loss.terms.rgb.weight > 0


@pytest.fixture
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the sweeps and runs that the pages speak of."""
    monkeypatch.chdir(tmp_path)
    one = tmp_path / "multirun" / "analytic" / "neus_eikonal" / "today"
    for number, weight in enumerate(["0", "0.03", "0.1"]):
        for seed in range(3):
            found = {"psnr": 30.0 + number + seed, "chamfer_l1": 0.01 * (1 + seed)}
            override = f"loss.terms.eikonal.weight={weight}"
            write_run(one / f"{weight},{seed}", found, override, seed=seed)
    two = tmp_path / "multirun" / "analytic" / "neus_full" / "today"
    for seed, (balancer, psnr) in enumerate([("none", 30.0), ("gradnorm", 31.0)] * 3):
        override = f"loss/balancer={balancer}"
        write_run(two / f"{balancer},{seed}", {"psnr": psnr + seed}, override, seed=seed // 2)
    for loss in ("neus", "neus_eikonal"):
        run = tmp_path / "outputs" / "analytic" / loss / "today"
        write_run(run, {"psnr": 30.0}, terms={"rgb": {"weight": float(len(loss))}})
    return tmp_path


@pytest.mark.usefixtures("somewhere")
@pytest.mark.parametrize("command", commands("nerfloss"))
def test_every_report_of_a_page_can_be_had(command, capsys) -> None:
    assert main(shlex.split(command.replace("<date>", "today"))[1:]) == 0
    said = capsys.readouterr().out
    assert "psnr" in said
    if "multirun" in command:
        assert "Against" in said


@pytest.mark.usefixtures("somewhere")
def test_the_baseline_of_balancers_is_none_as_the_page_says(capsys) -> None:
    assert main(["report", "multirun/analytic/neus_full"]) == 0
    assert "Against loss/balancer=none" in capsys.readouterr().out


def test_both_pages_are_found_with_commands() -> None:
    assert len(commands("python train.py")) >= 4
    assert any("--baseline" in command for command in commands("nerfloss"))
    assert any("compare" in command for command in commands("nerfloss"))
