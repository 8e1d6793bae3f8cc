"""Same seed, same numbers: scores, views and history, apart from the times.

That another seed gives another run is asked of parameters, in training/test_trainer.py.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from small_runs import assembled, history

TIMED = ("seconds", "rays_per_second")
NO_MESH = "eval.mesh=null"


def scored(folder: Path, *overrides: str, model: str = "neus") -> dict[str, Any]:
    """Train and evaluate a run; return what metrics.json holds."""
    asked = [f"model={model}", *overrides, "trainer.max_steps=3", "eval.images=false"]
    run = assembled(folder, *asked, model=model)
    assert run.train()
    run.evaluate(folder)
    return json.loads((folder / "metrics.json").read_text())


def untimed(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not any(t in name for t in TIMED)}


@pytest.mark.parametrize(
    ("model", "overrides"),
    [
        pytest.param("neus", ["loss=neus_full"], marks=pytest.mark.slow, id="with its mesh"),
        pytest.param("neus", ["loss/balancer=gradnorm", NO_MESH], id="balanced"),
        pytest.param(
            "neus",
            ["batch=error_guided", "batch.refresh_every=1", NO_MESH],
            id="pixels drawn by their errors",
        ),
        pytest.param("nerf", ["loss=nerf_robust", NO_MESH], marks=pytest.mark.slow, id="nerf"),
    ],
)
def test_two_runs_of_one_seed_write_the_same_numbers(tmp_path, model, overrides) -> None:
    first = scored(tmp_path / "first", *overrides, "seed=3", model=model)
    second = scored(tmp_path / "second", *overrides, "seed=3", model=model)
    assert first["psnr"] > 0
    assert (first["chamfer_l1"] is None) == (NO_MESH in overrides)
    assert untimed(first) == untimed(second)
    rows = [[untimed(row) for row in history(tmp_path / name)] for name in ("first", "second")]
    assert rows[0] == rows[1]
