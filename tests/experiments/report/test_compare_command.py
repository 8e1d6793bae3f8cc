"""``nerfloss compare``: settings, origin and scores of any runs, side by side."""

import csv
from pathlib import Path

import pytest
from written_runs import rows_of, write_run, write_sweep

from nerfloss.cli.main import main

RGB = {"rgb": {"weight": 1.0, "fn": {"delta": 0.1}}}
FULL = {**RGB, "eikonal": {"weight": 0.1, "fn": {"_target_": "x.eikonal"}}}


def said_of(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    capsys.readouterr()
    assert main(["compare", *map(str, words), "-f", "markdown"]) == 0
    return capsys.readouterr().out


def test_only_settings_that_differ_are_shown_weights_first(tmp_path, capsys) -> None:
    heavier = {**FULL, "rgb": {"weight": 2.0, "fn": {"delta": 0.2}}}
    a = write_run(tmp_path / "a", {"psnr": 30.0}, terms=FULL)
    b = write_run(tmp_path / "b", {"psnr": 31.0}, terms=heavier, scene="rings")
    rows = rows_of(said_of(capsys, a, b), "Configuration")
    assert rows == [
        {"setting": "loss.terms.rgb.weight", "A": "1.0", "B": "2.0"},
        {"setting": "loss.terms.rgb.fn.delta", "A": "0.1", "B": "0.2"},
        {"setting": "dataset.scene", "A": "craters", "B": "rings"},
    ]


def test_a_term_that_one_lacks_is_one_row(tmp_path, capsys) -> None:
    a = write_run(tmp_path / "a", {"psnr": 30.0}, terms=RGB)
    b = write_run(tmp_path / "b", {"psnr": 31.0}, terms=FULL)
    rows = rows_of(said_of(capsys, a, b), "Configuration")
    assert rows == [{"setting": "loss.terms.eikonal", "A": "absent", "B": "weight 0.1"}]


def test_runs_that_differ_in_the_seed_alone_are_one_set(tmp_path, capsys) -> None:
    write_sweep(tmp_path / "plain", {"0": [30.0, 30.7, 31.4]})
    write_sweep(tmp_path / "better", {"0.1": [31.0, 31.8, 32.4]})
    said = said_of(capsys, tmp_path / "plain", tmp_path / "better")
    runs = {row["runs"]: row for row in rows_of(said, "Runs")}
    assert runs["seeds"] == {"runs": "seeds", "A": "0, 1, 2", "B": "0, 1, 2"}
    (psnr,) = rows_of(said, "Scores")
    assert (psnr["score"], psnr["A"]) == ("psnr ↑", "30.7 ± 0.7")
    assert psnr["B − A"] == "+1.03 (0.890 to 1.177) better"


def test_a_folder_that_is_given_twice_counts_once(tmp_path, capsys) -> None:
    write_sweep(tmp_path / "plain", {"0": [30.0, 30.7]})
    said = said_of(capsys, tmp_path / "plain", tmp_path)
    assert rows_of(said, "Runs")[3]["A"] == "0, 1"


def test_one_run_each_is_told_apart_by_views_at_most(tmp_path, capsys) -> None:
    views = {f"view {i}": 30.0 + i for i in range(4)}
    better = {name: value + 0.5 for name, value in views.items()} | {"view 3": 32.0}
    a = write_run(tmp_path / "a", {"psnr": 31.5}, terms=RGB, views=views)
    b = write_run(tmp_path / "b", {"psnr": 31.7}, terms=FULL, views=better)
    said = said_of(capsys, a, b)
    assert rows_of(said, "Scores")[0]["B − A"] == "+0.2 (better in 3 of 4 views)"
    assert "too few runs: 1 pair at most" in said
    assert "views of one run share its seed" in said


def test_runs_that_score_the_same_are_said_to(tmp_path, capsys) -> None:
    views = {"view 0": 30.0, "view 1": 31.0}
    a = write_run(tmp_path / "a", {"psnr": 30.5}, terms=RGB, views=views)
    b = write_run(tmp_path / "b", {"psnr": 30.5}, terms=FULL, views=views)
    assert rows_of(said_of(capsys, a, b), "Scores")[0]["B − A"] == "0 (equal in all of 2 views)"


def test_runs_of_another_scene_are_not_subtracted(tmp_path, capsys) -> None:
    a = write_run(tmp_path / "a", {"psnr": 30.0})
    b = write_run(tmp_path / "b", {"psnr": 20.0}, scene="rings")
    assert list(rows_of(said_of(capsys, a, b), "Scores")[0]) == ["score", "A", "B"]


def test_origins_that_differ_are_shown_and_passing_facts_are_not(tmp_path, capsys) -> None:
    def origin(commit: str, started: str, dirty: bool) -> dict:
        git = {"commit": commit, "dirty": dirty}
        return {"git": git, "started": started, "versions": {"torch": "2.9"}, "device": "cpu"}

    a = write_run(tmp_path / "a", {"psnr": 1.0}, terms=RGB, provenance=origin("1a", "9:00", False))
    b = write_run(tmp_path / "b", {"psnr": 2.0}, terms=FULL, provenance=origin("2b", "9:30", True))
    said = said_of(capsys, a, b)
    assert rows_of(said, "Provenance") == [
        {"provenance": "git.commit", "A": "1a", "B": "2b"},
        {"provenance": "git.dirty", "A": "false", "B": "true"},
    ]
    assert "B: run with uncommitted changes" in said


def test_a_run_without_provenance_is_named(tmp_path, capsys) -> None:
    a = write_run(tmp_path / "a", {"psnr": 1.0}, terms=RGB, provenance={"device": "cpu"})
    b = write_run(tmp_path / "b", {"psnr": 2.0}, terms=FULL)
    said = said_of(capsys, a, b)
    assert "without provenance.json: B (1 of 1)" in said
    assert rows_of(said, "Provenance") == []


def test_damaged_files_are_remarks_and_the_rest_is_compared(tmp_path, capsys) -> None:
    a = write_run(tmp_path / "a", {"psnr": 1.0}, terms=RGB, provenance={})
    b = write_run(tmp_path / "b", {"psnr": 2.0}, terms=FULL)
    c = write_run(tmp_path / "c", {"psnr": 3.0}, terms=FULL, seed=1)
    (a / "provenance.json").write_text("[1, 2")
    (b / "metrics.json").write_text("[]")
    (c / ".hydra" / "config.yaml").write_text("loss: [1, 2\nseed: }")
    said = said_of(capsys, a, b, c)
    assert "a: provenance.json is damaged" in said
    assert "b: metrics.json is damaged: it holds a list" in said
    assert "c: .hydra/config.yaml is damaged" in said
    assert "C: no configuration could be read" in said
    assert rows_of(said, "Configuration")[0]["A"] == "absent"
    assert rows_of(said, "Scores")[0]["A"] == "1"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metrics.json", '{"psnr": NaN, "conventions": null, "views": 3}'),
        ("metrics.json", '"text"'),
        ("ablation.json", "{"),
        (".hydra/overrides.yaml", "a: ]"),
        (".hydra/config.yaml", "7"),
        (".hydra/hydra.yaml", "hydra: {runtime: 3}"),
        ("history.csv", "step\n\x00"),
        ("provenance.json", "\xff"),
    ],
)
def test_no_damage_stops_a_report(tmp_path, capsys, name, text) -> None:
    run = write_run(tmp_path / "a", {"psnr": 1.0})
    write_run(tmp_path / "b", {"psnr": 2.0}, seed=1)
    (run / name).write_text(text, encoding="latin-1")
    assert main(["report", str(tmp_path), "-f", "csv"]) == 0
    assert "2.0" in capsys.readouterr().out


def test_a_failed_run_says_what_failed(tmp_path, capsys) -> None:
    said = {"status": "failed", "error": "NonFiniteLoss: term eikonal"}
    write_run(tmp_path / "a", None, provenance=said)
    write_run(tmp_path / "b", {"psnr": 2.0}, seed=1)
    assert main(["report", str(tmp_path), "-f", "csv"]) == 0
    assert "failed before training: NonFiniteLoss: term eikonal" in capsys.readouterr().out


def test_one_run_is_nothing_to_compare(tmp_path, capsys) -> None:
    write_run(tmp_path / "a", {"psnr": 1.0})
    assert main(["compare", str(tmp_path)]) == 2
    assert "takes at least two runs" in capsys.readouterr().err


def test_a_metric_that_no_run_has_is_refused(tmp_path, capsys) -> None:
    write_sweep(tmp_path, {"0": [1.0, 2.0]})
    assert main(["compare", str(tmp_path), "-m", "psrn"]) == 2
    assert "no run has the metric psrn: choose from psnr" in capsys.readouterr().err


def test_a_machine_gets_one_table_with_every_number(tmp_path) -> None:
    write_sweep(tmp_path / "a", {"0": [30.0, 30.7, 31.4]})
    write_sweep(tmp_path / "b", {"0.1": [31.0, 31.8, 32.4]})
    out = tmp_path / "out" / "all.csv"
    folders = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert main(["compare", *folders, "-f", "csv", "-o", str(out)]) == 0
    rows = {(row["table"], row["key"]): row for row in csv.DictReader(out.read_text().splitlines())}
    assert float(rows["scores", "psnr_difference"]["B"]) == pytest.approx(31 / 30)
    assert rows["scores", "psnr_significance"]["B"] == "better"
    assert rows["configuration", "loss.terms.eikonal.weight"]["A"] == "0.0"


def test_the_table_for_a_terminal_prints_everything(tmp_path, capsys) -> None:
    write_sweep(tmp_path, {"0": [30.0, 30.7, 31.4], "0.1": [31.0, 31.8, 32.4]})
    assert main(["compare", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    for words in (
        "Configuration",
        "eikonal.weight",
        "Provenance",
        "30.7 ± 0.7",
        "significance by",
    ):
        assert words in said
