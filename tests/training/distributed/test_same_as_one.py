"""Several processes that share a step's rays learn what one process with all of them learns."""

import csv
import json
from pathlib import Path

import pytest
from saved_state import farthest, saved_state
from shared_cases import CASES, shared_run

FIRST = next(iter(CASES))
pytestmark = pytest.mark.slow


def test_ten_steps_move_the_parameters_far_more_than_the_comparison_allows(by_one, tmp_path):
    run = shared_run(FIRST, tmp_path)
    run.initialize()
    run.save()
    before, after = saved_state(tmp_path), saved_state(by_one(FIRST))
    learned = [name for name in before if name.startswith(".model.field") and "weight" in name]
    for name in learned:
        assert farthest({name: before[name]}, {name: after[name]}) > 1e-3, name


@pytest.mark.parametrize("case", CASES)
def test_two_processes_reach_what_one_with_twice_the_batch_reaches(by_one, by_two, case):
    """The field, the sampler, the optimizer's moments, balancers and terms that learn."""
    assert farthest(saved_state(by_one(case)), saved_state(by_two / case)) < 1e-5


def test_two_processes_resume_a_run_of_one(by_one, by_two):
    assert farthest(saved_state(by_one(FIRST)), saved_state(by_two / "went on")) < 1e-5


def test_one_process_resumes_a_run_of_two(by_one, by_two, tmp_path):
    ends = []
    for begun in (by_one(FIRST), by_two / FIRST):
        run = shared_run(FIRST, tmp_path / str(len(ends)), more=["trainer.max_steps=15"])
        run.load(begun / "checkpoints" / "last.pt")
        assert run.trainer.step == 10
        assert run.train()
        ends.append(saved_state(tmp_path / str(len(ends))))
    assert farthest(*ends) < 1e-5


def scores_and_views(folder: Path) -> tuple[dict[str, float], list]:
    content = json.loads((folder / "metrics.json").read_text())
    numbers = {k: v for k, v in content.items() if isinstance(v, float) and "seconds" not in k}
    return numbers, content["views"]


def test_the_views_and_the_surface_are_scored_as_by_one(by_one, by_two):
    (ours, our_views), (theirs, their_views) = map(
        scores_and_views, (by_two / FIRST, by_one(FIRST))
    )
    assert ours.keys() == theirs.keys()
    assert {"psnr", "chamfer_l1", "normal_consistency"} <= ours.keys()
    for name, value in ours.items():
        assert value == pytest.approx(theirs[name], rel=1e-3, abs=1e-3), name
    assert [row["view"] for row in our_views] == [row["view"] for row in their_views]
    names = sorted(path.name for path in (by_two / FIRST / "images").glob("*.png"))
    assert names == sorted(path.name for path in (by_one(FIRST) / "images").glob("*.png"))


def rows_of(folder: Path, file: str) -> list[dict[str, str]]:
    with open(folder / file) as lines:
        return list(csv.DictReader(lines))


def test_rank_0_writes_values_of_all_processes(by_one, by_two):
    """The losses, and what diagnostics say of gradients, are those of all rays."""
    for file, columns in {
        "history.csv": ["loss/total", "loss/rgb", "balance/rgb"],
        "diagnostics.csv": ["rgb/gradient_norm", "conflict/rgb/eikonal"],
    }.items():
        ours, theirs = rows_of(by_two / FIRST, file), rows_of(by_one(FIRST), file)
        assert [row["step"] for row in ours] == [row["step"] for row in theirs]
        for mine, other in zip(ours, theirs, strict=True):
            for name in columns:
                assert float(mine[name]) == pytest.approx(float(other[name]), rel=1e-3), name
