"""The ``nerfloss`` command: what its verbs print, and what they say when they cannot."""

import csv
import functools
import itertools
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from nerfloss.assembly import config_files as conf_files
from nerfloss.assembly.config_files import conf_dir, named
from nerfloss.cli.main import main
from nerfloss.cli.reference import term_files as catalogue
from nerfloss.quantities.vocabulary import VOCABULARY

TERM = '''
"""Terms for a test."""
def eikonal(gradients, *, floor=1e-6, power):
    """Penalize gradients whose length is not one: ``(|g| - 1)^2``.

    Reference: a test.
    """
def l1(prediction, target):
    """Absolute difference."""
class Learned:
    """A term with state."""
    def __init__(self, *, width=8): ...
    def forward(self, rgb, target_rgb): ...
'''


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small conf/ with three terms and two recipes, one of which builds on the other."""
    (tmp_path / "terms_of_a_test.py").write_text(TERM)
    monkeypatch.syspath_prepend(tmp_path)
    files: dict[str, Any] = {
        "term/eikonal": {
            "weight": 0.1,
            "schedule": {"_target_": "nerfloss.recipe.schedules.ramp", "begin": 0, "end": 100},
            "fn": {"_target_": "terms_of_a_test.eikonal", "_partial_": True, "power": 2},
        },
        "term/rgb_l1": {
            "fn": {"_target_": "terms_of_a_test.l1", "_partial_": True},
            "inputs": {"prediction": "rgb", "target": "target_rgb"},
            "where": "target_mask",
        },
        "term/learned": {"fn": {"_target_": "terms_of_a_test.Learned"}},
        "neus": {"defaults": [{"term@terms.rgb": "rgb_l1"}, {"balancer": "none"}, "_self_"]},
        "neus_eikonal": {
            "defaults": ["neus", {"term@terms.eikonal": "eikonal"}, "_self_"],
            "terms": {"eikonal": {"weight": 0.5}},
        },
    }
    for name, content in files.items():
        path = tmp_path / "conf" / "loss" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content))
    monkeypatch.setattr(conf_files, "conf_dir", lambda: tmp_path / "conf")
    return tmp_path / "conf"


def make_run(
    folder: Path,
    overrides: list[str],
    metrics: Mapping[str, Any] | None,
    *,
    config: Mapping[str, Any] | None = None,
    log: str = "",
) -> None:
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(overrides))
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config or {"seed": 0}))
    (folder / "train.log").write_text(log)
    (folder / "history.csv").write_text("step,loss/total\n10,0.5\n20,0.25\n")
    if metrics is not None:
        (folder / "metrics.json").write_text(json.dumps(metrics))


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A sweep over a weight and a seed, with one run that failed and one that never started."""
    root = tmp_path / "sweep"
    for weight, seed, psnr in (("0.1", 0, 30.0), ("0.1", 1, 32.0), ("1.0", 0, 25.0)):
        overrides = ["trainer.max_steps=20", f"loss.terms.eikonal.weight={weight}", f"seed={seed}"]
        metrics = {
            "psnr": psnr,
            "chamfer_l1": 1 / psnr,
            "lpips_alex": None,
            "train_seconds": 12.5,
            "conventions": {"psnr": {"split": "test", "better": "higher"}},
            "reasons": {"lpips_alex": "no weights in ~/weights"},
        }
        make_run(root / f"weight={weight},seed={seed}", overrides, metrics)
    failed = ["trainer.max_steps=20", "loss.terms.eikonal.weight=1.0", "seed=1"]
    make_run(root / "weight=1.0,seed=1", failed, None, log="[ERROR] - NonFiniteLoss: ...")
    tasks = ["trainer.max_steps=20", "loss.terms.eikonal.weight=0.1,1.0,'a,b'", "seed=0,1"]
    saved = {"hydra": {"overrides": {"task": tasks}}}
    (root / "multirun.yaml").write_text(yaml.safe_dump(saved))
    return root


def test_help_answers_without_loading_torch() -> None:
    code = (
        "import sys\nfrom nerfloss.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "terms" in done.stdout
    assert "report" in done.stdout
    assert done.stdout.endswith("False\n"), done.stderr


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "nerfloss", "report", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no folder nowhere")


@pytest.mark.usefixtures("conf")
def test_terms_lists_every_term_and_recipe_with_its_needs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["terms"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["rgb_l1", "1", "rgb", "target_rgb", "target_mask"] in [line[:5] for line in lines]
    assert ["learned", "1", "rgb", "target_rgb"] in [line[:4] for line in lines]
    recipe = "neus_eikonal rgb + 0.5 eikonal rgb target_rgb target_mask gradients"
    assert recipe in [" ".join(line) for line in lines]


@pytest.mark.usefixtures("conf")
def test_a_term_is_explained_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["terms", "eikonal"]) == 0
    output = " ".join(capsys.readouterr().out.split())
    for fact in (
        "(|g| - 1)^2",
        "Reference: a test.",
        "gradients [rays samples 3] spatial gradient of the SDF, not normalised; from SDF fields",
        "floor = 1e-06",
        "power = 2",
        "ramp(begin=0, end=100)",
        "neus_eikonal (as eikonal, weight 0.5)",
        "conf/loss/term/eikonal.yaml",
        "+loss/term@loss.terms.eikonal=eikonal",
    ):
        assert fact in output


@pytest.mark.usefixtures("conf")
def test_renames_and_selections_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    main(["terms", "rgb_l1"])
    output = capsys.readouterr().out
    assert "prediction is rgb" in output
    assert "averaged where target_mask" in output


@pytest.mark.usefixtures("conf")
def test_a_recipe_is_explained_by_its_terms(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["terms", "neus_eikonal"]) == 0
    assert "weight 0.5, term eikonal, ramp(begin=0, end=100)" in capsys.readouterr().out


@pytest.mark.usefixtures("conf")
def test_a_misspelt_term_gets_the_closest_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["terms", "eikonol"]) == 2
    error = capsys.readouterr().err
    assert "no term and no recipe is called 'eikonol': did you mean eikonal" in error


def test_a_term_whose_function_is_missing_is_named_with_its_file(
    conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = {"fn": {"_target_": "terms_of_a_test.gone", "_partial_": True}}
    (conf / "loss" / "term" / "broken.yaml").write_text(yaml.safe_dump(broken))
    assert main(["terms", "broken"]) == 2
    assert "broken.yaml: fn names 'terms_of_a_test.gone'" in capsys.readouterr().err


def test_every_shipped_term_and_recipe_can_be_explained(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every explanation reads all files.
    monkeypatch.setattr(catalogue, "read_yaml", functools.cache(catalogue.read_yaml))
    terms, recipes = named(conf_dir() / "loss" / "term"), named(conf_dir() / "loss")
    assert terms
    assert recipes
    for name in [*terms, *recipes]:
        assert main(["terms", name]) == 0
        assert "(unknown)" not in capsys.readouterr().out, f"{name} needs an unknown quantity"


def test_quantities_lists_the_whole_vocabulary_with_shapes_meanings_and_sources(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["quantities"]) == 0
    output = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in output.splitlines()]
    for words in ("target_normal", "observed unit normal; 0 = unknown", "datasets with normals"):
        assert any(words in line for line in lines), words
    assert {line.partition(" ")[0] for line in lines} >= VOCABULARY.keys()


def test_a_report_shows_what_was_swept_and_the_scores(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(sweep), "--format", "markdown"]) == 0
    rows = table_of(capsys.readouterr().out)
    assert list(rows[0]) == [
        "run",
        "loss.terms.eikonal.weight",
        "seed",
        "status",
        "psnr",
        "chamfer_l1",
        "train_seconds",
    ]
    assert rows[0]["loss.terms.eikonal.weight"] == "0.1"
    assert rows[1]["psnr"] == "**32**"


def test_runs_that_differ_in_the_seed_only_are_averaged(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["report", str(sweep), "--format", "markdown"])
    rows = table_of(capsys.readouterr().out)
    assert [row["run"] for row in rows].count("mean of 2") == 1
    assert rows[2]["psnr"] == "31 ± 1.4"
    assert (rows[2]["loss.terms.eikonal.weight"], rows[2]["seed"]) == ("0.1", "")


def test_failed_and_missing_runs_are_shown(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["report", str(sweep), "--format", "markdown"])
    output = capsys.readouterr().out
    failed = [row for row in table_of(output) if row["status"] != "finished" and row["status"]]
    assert [row["status"] for row in failed] == ["failed after step 20"]
    assert failed[0]["psnr"] == ""
    assert "1 of 4 runs did not finish" in output
    assert "2 more runs of this sweep never started" in output


@pytest.mark.parametrize(
    ("log", "status"),
    [
        ("", "unfinished after step 20"),
        ("Traceback (most recent call last):", "failed after step 20"),
        ("stopped by SIGINT after step 25, saved", "stopped by SIGINT after step 25"),
    ],
)
def test_a_run_without_scores_says_how_it_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log: str, status: str
) -> None:
    make_run(tmp_path / "run", [], None, log=log)
    main(["report", str(tmp_path), "--format", "csv"])
    assert status in capsys.readouterr().out


def test_damaged_scores_are_shown_as_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "run", [], {})
    (tmp_path / "run" / "metrics.json").write_text('{"psnr": 3')
    assert main(["report", str(tmp_path), "--format", "csv"]) == 0
    assert "metrics.json is damaged" in capsys.readouterr().out


def test_a_sweep_keeps_its_report_in_both_formats(sweep: Path) -> None:
    main(["report", str(sweep)])
    assert (sweep / "report.md").read_text().startswith("| run |")
    with open(sweep / "report.csv") as file:
        rows = list(csv.DictReader(file))
    mean = next(row for row in rows if row["runs"] == "2")
    assert float(mean["psnr"]) == 31.0
    assert float(mean["psnr_std"]) == pytest.approx(2**0.5)
    assert float(rows[0]["chamfer_l1"]) == 1 / 30


def test_a_report_goes_where_it_is_told(sweep: Path, tmp_path: Path) -> None:
    target = tmp_path / "reports" / "table.csv"
    assert main(["report", str(sweep), "-f", "csv", "-o", str(target)]) == 0
    assert target.read_text() == (sweep / "report.csv").read_text()


def test_chosen_metrics_replace_the_main_ones(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(sweep), "-f", "csv", "-m", "chamfer_l1"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("runs,chamfer_l1,chamfer_l1_std")
    assert main(["report", str(sweep), "-m", "psrn"]) == 2
    assert "no run has the metric psrn: choose from chamfer_l1, lpips" in capsys.readouterr().err


def test_a_metric_without_a_value_comes_with_its_reason(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(sweep), "-f", "markdown", "-m", "lpips_alex"]) == 0
    assert "- lpips_alex: no weights in ~/weights" in capsys.readouterr().out


def test_a_setting_without_an_override_shows_the_runs_own_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"seed": 0, "trainer": {"max_steps": 3000}}
    make_run(tmp_path / "a", ["trainer.max_steps=50"], {"psnr": 1.0}, config=config)
    make_run(tmp_path / "b", [], {"psnr": 2.0}, config=config)
    main(["report", str(tmp_path), "-f", "markdown"])
    rows = table_of(capsys.readouterr().out)
    assert [row["trainer.max_steps"] for row in rows] == ["50", "3000"]


def test_scores_taken_in_different_ways_are_called_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, split in (("a", "test"), ("b", "train")):
        metrics = {"psnr": 30.0, "conventions": {"psnr": {"split": split}}}
        make_run(tmp_path / name, [], metrics)
    main(["report", str(tmp_path), "-f", "markdown"])
    assert "psnr cannot be compared: its split is test and train" in capsys.readouterr().out


def test_a_folder_without_runs_says_what_a_run_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "holiday.jpg").touch()
    assert main(["report", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "which holds holiday.jpg: a run is a folder with .hydra/ in it" in error


def table_of(markdown: str) -> list[dict[str, str]]:
    """Rows of the first Markdown table in a text, by column."""
    every = markdown.splitlines()
    first = next(i for i, line in enumerate(every) if line.startswith("|"))
    lines = list(itertools.takewhile(lambda line: line.startswith("|"), every[first:]))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def test_an_unknown_command_names_the_closest_one(capsys):
    assert main(["trian"]) == 2
    assert "no command is called 'trian'; did you mean train" in capsys.readouterr().err
