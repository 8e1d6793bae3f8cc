"""Reports on hundreds of runs: what a person is shown, and that files hold the rest."""

import csv
import io
from pathlib import Path

import pytest
from written_runs import rows_of, write_run

from nerfloss.cli.main import main
from nerfloss.experiments.report.page.study import MAX_VARIANTS, study_of
from nerfloss.experiments.report.run_folders import find_run_folders
from nerfloss.experiments.report.runs import find_runs
from nerfloss.experiments.report.truncate import MAX_GROUPS, MAX_ROWS, TOP_ROWS
from nerfloss.experiments.report.variants import swept_settings, variants_of

ARMS, SEEDS = 80, 3


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """Eighty weights by three seeds; the largest weight is the best."""
    root = tmp_path_factory.mktemp("many")
    (root / "multirun.yaml").write_text("hydra: {}\n")
    for weight in range(ARMS):
        for seed in range(SEEDS):
            terms = {"rgb": {"weight": 1.0}, "eikonal": {"weight": weight}}
            scores = {"psnr": 20 + 0.1 * weight + 0.01 * seed * (weight % 3)}
            override = f"loss.terms.eikonal.weight={weight}"
            write_run(root / f"{weight},{seed}", scores, override, seed=seed, terms=terms)
    return root


def printed(capsys, *words: object) -> str:
    capsys.readouterr()
    assert main([*map(str, words)]) == 0
    return capsys.readouterr().out


def test_a_report_shows_the_best_means_and_says_so(many, capsys) -> None:
    said = printed(capsys, "report", many, "-f", "markdown")
    first = [line for line in said.split("\n### ")[0].splitlines() if line.startswith("| mean")]
    assert len(first) == TOP_ROWS
    assert "| 79 |" in first[0], "the very best first"
    assert f"240 runs: shown are the {TOP_ROWS} best by psnr of 80 means over seeds" in said
    significances = rows_of(said, "Against")
    assert significances[0]["variant"] == "eikonal.weight=0", "the baseline"
    assert {row["variant"] for row in significances} >= {"eikonal.weight=79", "eikonal.weight=78"}
    assert len(said.splitlines()) < 2 * MAX_ROWS
    assert "corrected (Holm) for 79 variants" in said, "also for those that are not shown"


def test_files_for_machines_have_every_run_and_every_variant(many, capsys) -> None:
    printed(capsys, "report", many, "-f", "markdown")
    rows = list(csv.DictReader(io.StringIO((many / "report.csv").read_text())))
    assert sum(row["runs"] == "1" for row in rows) == ARMS * SEEDS
    variants = list(csv.DictReader(io.StringIO((many / "variants.csv").read_text())))
    assert len({row["variant"] for row in variants}) == ARMS
    assert printed(capsys, "report", many, "-f", "csv") == (many / "report.csv").read_text()


def test_a_page_of_so_many_runs_is_written_only_on_demand(many, capsys) -> None:
    assert main(["report", str(many)]) == 0
    assert "no report.html of so many runs" in capsys.readouterr().err
    assert not (many / "report.html").exists()


def test_a_page_shows_the_baseline_and_the_best_variants(many) -> None:
    study = study_of(find_runs(many), many)
    names = [variant.name for variant in study.variants]
    assert len(names) == MAX_VARIANTS
    assert names[0] == "eikonal.weight=0"
    assert names[-1] == "eikonal.weight=79"
    assert study.left_out == f"{MAX_VARIANTS} of {ARMS} variants"
    assert len(study.every_variant) == ARMS


def test_compare_shows_the_first_set_and_the_best(many, capsys) -> None:
    said = printed(capsys, "compare", many, "-f", "markdown")
    assert f"{MAX_GROUPS} of {ARMS} groups of runs are shown" in said
    weights = rows_of(said, "Configuration")[0]
    assert weights["A"] == "0", "what comes first is what others are compared with"
    assert list(weights.values())[-1] == "79"
    whole = list(csv.reader(io.StringIO(printed(capsys, "compare", many, "-f", "csv"))))
    assert len(whole[0]) == 2 + ARMS


def test_runs_are_found_wherever_they_lie_and_sweeps_too(tmp_path) -> None:
    for name in ("b/c/run", "a", "a/inner", "b-2"):
        write_run(tmp_path / name, {"psnr": 1.0})
    (tmp_path / "b" / "multirun.yaml").touch()
    (tmp_path / "a" / "checkpoints" / ".hydra").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    tree = find_run_folders(tmp_path)
    assert tree.runs == ("a", "a/inner", "b/c/run", "b-2")
    assert tree.sweeps == ("b",)


@pytest.mark.parametrize(
    ("one", "other"),
    [("true", "True"), ("1e-3", "0.001"), ("'a'", "a"), ("null", "None"), ("1", "1.0")],
)
def test_a_value_is_the_same_however_it_was_written(tmp_path, one, other) -> None:
    write_run(tmp_path / "a", {"psnr": 1.0}, f"trainer.x={one}")
    write_run(tmp_path / "b", {"psnr": 1.0}, f"trainer.x={other}")
    runs = find_runs(tmp_path)
    assert swept_settings(runs) == ()
    assert len(variants_of(runs)) == 1


@pytest.mark.parametrize("override", ["diagnostics=on", "diagnostics.every=5", "seeds=null"])
def test_what_changes_no_result_makes_no_variant(tmp_path, override) -> None:
    write_run(tmp_path / "a", {"psnr": 1.0}, "loss=neus")
    write_run(tmp_path / "b", {"psnr": 1.0}, "loss=neus", override, seed=1)
    runs = find_runs(tmp_path)
    assert swept_settings(runs) == ("seed",)
    assert [variant.name for variant in variants_of(runs)] == ["all runs"]
