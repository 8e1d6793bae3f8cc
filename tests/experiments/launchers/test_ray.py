"""Ray, for real: two workers of this machine, jobs that are killed, that fail, and real runs."""

import json

import pytest
from pickled_jobs import failing, job, killed
from whole_sweeps import QUICK, start

from nerfloss.experiments.launchers.ray import RayLauncher
from nerfloss.experiments.launchers.retry_loop import run_with_retries

pytest.importorskip("ray", reason="needs the extra 'ray'")
pytestmark = pytest.mark.slow


def test_a_killed_worker_is_replaced_and_a_job_that_fails_is_not_repeated(tmp_path):
    import ray

    jobs = [
        killed("once", tmp_path, 1),
        failing("failing", tmp_path),
        killed("always", tmp_path, 99),
        job("quiet", lambda: 7),
    ]
    launcher = RayLauncher(init={"num_cpus": 2})
    with launcher.engine(tmp_path) as engine:
        result = run_with_retries(engine, jobs.__getitem__, len(jobs), retries=1)
    assert not ray.is_initialized(), "it is shut down with the sweep"
    once, failed, always, quiet = result
    assert (once.value, quiet.value) == (2, 7)
    assert failed.error == ("ValueError", "a weight is negative")
    assert always.error is not None
    assert always.error[0] == "JobLost"
    assert "2 times, the last: WorkerCrashedError" in always.error[1]
    begun = sorted(path.name for path in tmp_path.iterdir())
    assert begun == ["always-0", "always-1", "failing-0", "once-0", "once-1"]


def test_a_sweep_runs_on_two_workers_and_goes_on_where_it_ended(tmp_path):
    sweep = [
        *("-m", *QUICK, "hydra/launcher=ray", "hydra.launcher.init.num_cpus=2"),
        f"hydra.sweep.dir={tmp_path}",
    ]
    process = start(*sweep, "dataset.scene=craters,teapot")
    said, _ = process.communicate(timeout=400)
    assert process.returncode == 1, said
    assert "1 of 2 jobs failed:\n  dataset.scene=teapot: ValueError" in said
    done = tmp_path / "dataset.scene=craters"
    record = json.loads((done / "provenance.json").read_text())
    assert record["status"] == "finished"
    assert record["host"]["threads"] == 1
    before = (done / "metrics.json").stat().st_mtime_ns

    process = start(*sweep, "dataset.scene=craters,teapot")
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 1, said
    assert "1 of 2 jobs are finished and not run again" in said
    assert (done / "metrics.json").stat().st_mtime_ns == before
