"""The spread over views of one run, apart from the spread over seeds."""

import csv
import io
import statistics
from pathlib import Path

import numpy as np
import pytest
from written_runs import rows_of, write_run, write_sweep

from nerfloss.cli.main import main
from nerfloss.experiments.report.report import report
from nerfloss.experiments.report.runs import find_runs
from nerfloss.experiments.report.table import as_csv, as_markdown
from nerfloss.experiments.report.view_spread import NOT_OVER_SEEDS, OVER_SEEDS, view_spread_table

VIEWS = {f"r_{i}": 20.0 + value for i, value in enumerate([0, 1, 3, 4, 7, 9, 2, 6])}


def row(root: Path, run: str = "one") -> dict[str, str]:
    table = view_spread_table(find_runs(root), root)
    return next(r for r in csv.DictReader(io.StringIO(as_csv(table))) if r["run"] == run)


def test_a_row_has_mean_deviation_and_worst_of_the_views(tmp_path: Path) -> None:
    mean = statistics.fmean(VIEWS.values())
    write_run(tmp_path / "one", {"psnr": mean}, views=VIEWS)
    found = row(tmp_path)
    assert float(found["mean"]) == pytest.approx(mean), "the score that metrics.json states"
    assert float(found["std"]) == pytest.approx(statistics.stdev(VIEWS.values()))
    assert (found["views"], found["worst_view"], found["interval"]) == ("8", "r_0", "bootstrap")


def test_the_interval_is_that_of_resampled_views(tmp_path: Path) -> None:
    write_run(tmp_path / "one", {"psnr": 24.0}, views=VIEWS)
    found, values = row(tmp_path), np.array(list(VIEWS.values()))
    rng = np.random.default_rng(7)
    means = [rng.choice(values, len(values)).mean() for _ in range(20_000)]
    low, high = np.quantile(means, [0.025, 0.975])
    # The expanded bootstrap of few values is wider than the plain one, by at most t's factor.
    assert low - 1.2 < float(found["low"]) < low + 0.05
    assert high - 0.05 < float(found["high"]) < high + 1.2


def test_runs_of_several_seeds_are_not_pooled(tmp_path: Path) -> None:
    for seed, shift in enumerate((0.0, 100.0)):
        moved = {name: value + shift for name, value in VIEWS.items()}
        write_run(tmp_path / f"seed={seed}", {"psnr": 24 + shift}, seed=seed, views=moved)
    one, two = row(tmp_path, "seed=0"), row(tmp_path, "seed=1")
    assert float(one["std"]) == pytest.approx(float(two["std"]))
    assert float(two["mean"]) - float(one["mean"]) == pytest.approx(100.0)
    assert (one["seed"], two["seed"]) == ("0", "1")


def test_each_table_says_what_its_spread_is_over(tmp_path: Path) -> None:
    write_run(tmp_path / "one", {"psnr": 24.0}, views=VIEWS)
    views = as_markdown(view_spread_table(find_runs(tmp_path), tmp_path))
    assert "over the views of one run" in views
    assert NOT_OVER_SEEDS in views
    seeds = write_sweep(tmp_path / "sweep", {"0.1": [30, 31, 32], "0.2": [33, 34, 36]})
    written = "\n".join(map(as_markdown, report(seeds)))
    assert OVER_SEEDS in written
    assert rows_of(written, "Against")


def test_few_views_have_an_interval_of_students_t_and_one_view_none(tmp_path: Path) -> None:
    write_run(tmp_path / "three", {"psnr": 24.0}, views=dict(list(VIEWS.items())[:3]))
    write_run(tmp_path / "single", {"psnr": 20.0}, views={"r_0": 20.0})
    assert row(tmp_path, "three")["interval"] == "t"
    single = row(tmp_path, "single")
    assert (single["std"], single["low"], single["interval"]) == ("", "", "")
    notes = view_spread_table(find_runs(tmp_path), tmp_path).notes
    assert any("fewer than 6 views" in note for note in notes)


def test_runs_without_scores_by_view_are_refused_with_a_remedy(tmp_path: Path) -> None:
    write_run(tmp_path / "one", {"psnr": 24.0})
    with pytest.raises(ValueError, match="has scores by view: 'nerfloss eval"):
        view_spread_table(find_runs(tmp_path), tmp_path)
    write_run(tmp_path / "two", {"psnr": 24.0}, views=VIEWS)
    with pytest.raises(ValueError, match="scores by view of ssim"):
        view_spread_table(find_runs(tmp_path), tmp_path, ["ssim"])


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "one", {"psnr": 24.0}, views=VIEWS)
    assert main(["report", str(tmp_path), "--only", "views", "-f", "markdown"]) == 0
    printed = capsys.readouterr().out
    assert rows_of(printed, "Spread over views")[0]["worst view"] == "r_0 (20)"
    assert not (tmp_path / "report.html").exists()


def test_published_figures_do_not_go_with_views(tmp_path, capsys):
    words = ["report", str(tmp_path), "--only", "views", "--with-published", "dtu"]
    assert main(words) == 2
    assert "--with-published has no effect on --only views" in capsys.readouterr().err
