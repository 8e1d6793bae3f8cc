"""Tables in a terminal: as wide as it, and wide ones split by columns."""

import pytest

from nerfloss.experiments.report.table import Table, show, split_to_fit

RUNS = Table(
    ("run", "seed", *(f"score_{i}" for i in range(8))),
    tuple((f"loss.terms.eikonal.weight={w},seed=0", 0, *["16.637 ± 0.58"] * 8) for w in (1, 2)),
    title="Runs",
    strong=frozenset({(1, 9)}),
)


def test_a_table_that_fits_is_not_split():
    assert split_to_fit(RUNS, 240) == [RUNS]


def test_parts_hold_every_column_once_besides_the_key():
    parts = split_to_fit(RUNS, 80)
    assert [name for part in parts for name in part.columns[1:]] == list(RUNS.columns[1:])
    assert {part.columns[0] for part in parts} == {"run"}
    assert [part.title for part in parts] == ["Runs"] + [""] * (len(parts) - 1)
    assert parts[-1].strong == {(1, len(parts[-1].columns) - 1)}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_number_is_broken_at_the_width_of_a_terminal(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    show(RUNS)
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= width
    assert sum(line.count("16.637 ± 0.58") for line in lines) == 16


def test_a_short_key_is_not_broken_beside_long_cells(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    cell = "+0.605 (better in 12 of 12 views)"
    show(Table(("score", "A", "B - A", "C - A"), (("train_seconds ↓", 1.5, cell, cell),)))
    assert "train_seconds ↓" in capsys.readouterr().out
