"""Sweeps of runs that do learn: stopped and gone on with, several at once, taken apart."""

import json
import os
import signal
import time

import pytest
from small_runs import history
from whole_sweeps import QUICK, start

pytestmark = pytest.mark.slow


def scores(folder):
    found = json.loads((folder / "metrics.json").read_text())
    return {k: v for k, v in found.items() if isinstance(v, float) and "seconds" not in k}


def test_a_sweep_that_was_stopped_goes_on_to_the_numbers_of_an_undisturbed_run(tmp_path):
    settings = [*QUICK, "trainer.max_steps=300"]
    sweep = ["-m", "seed=1,0", *settings, f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    second = tmp_path / "sweep" / "seed=0"
    process = start(*sweep)
    while process.poll() is None and not (second / "history.csv").exists():
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "go on with: python train.py -m" in said
    first = (tmp_path / "sweep" / "seed=1" / "metrics.json").stat().st_mtime_ns
    assert not (second / "metrics.json").exists()

    process = start(*sweep)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "1 of 2 jobs are finished and not run again" in said
    assert (tmp_path / "sweep" / "seed=1" / "metrics.json").stat().st_mtime_ns == first
    assert len(json.loads((second / "provenance.json").read_text())["resumed"]) == 1

    whole = start(*settings, f"hydra.run.dir={tmp_path / 'whole'}")
    said, _ = whole.communicate(timeout=300)
    assert whole.returncode == 0, said
    assert scores(second) == scores(tmp_path / "whole")


def test_jobs_run_beside_each_other_and_one_that_fails_is_reported(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="needs the extra 'sweep'")
    process = start(
        "-m",
        *QUICK,
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
        "ablate=without_eikonal",
        "dataset.scene=craters,teapot",
        f"hydra.sweep.dir={tmp_path}",
    )
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1, said
    assert "1 of 2 jobs failed:\n  dataset.scene=teapot: ValueError" in said
    failed, done = tmp_path / "dataset.scene=teapot", tmp_path / "dataset.scene=craters"
    assert (failed / ".hydra" / "config.yaml").is_file()
    assert "teapot" in (failed / "train.log").read_text()
    # The ablated term is not computed, and two jobs share the cores.
    assert "loss/rgb" in history(done)[0]
    assert "loss/eikonal" not in history(done)[0]
    record = json.loads((done / "provenance.json").read_text())
    assert record["host"]["threads"] <= max(1, record["host"]["cores"] // 2)
