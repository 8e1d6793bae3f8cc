"""Submitit's processes on this machine, for real: killed, failing, preempted, and real runs."""

import json
import time

import pytest
from pickled_jobs import failing, job, killed
from whole_sweeps import QUICK, start

from nerfloss.experiments.launchers.retry_loop import run_with_retries
from nerfloss.experiments.launchers.submitit import SubmititLauncher

pytest.importorskip("submitit", reason="needs the extra 'submitit'")
pytestmark = pytest.mark.slow


def test_a_killed_process_is_replaced_and_a_job_that_fails_is_not_repeated(tmp_path):
    jobs = [
        killed("once", tmp_path, 1),
        failing("failing", tmp_path),
        job("quiet", lambda: 7),
    ]
    with SubmititLauncher("local", jobs=2).engine(tmp_path) as engine:
        result = run_with_retries(engine, jobs.__getitem__, len(jobs), retries=1)
    once, failed, quiet = result
    assert (once.value, quiet.value) == (2, 7)
    assert failed.error == ("ValueError", "a weight is negative")
    begun = sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("."))
    assert begun == ["failing-0", "once-0", "once-1"]


def test_jobs_beside_each_other_see_different_gpus(tmp_path):
    def visible() -> str:
        import os
        import time

        (tmp_path / os.environ["SUBMITIT_LOCAL_JOB_ID"]).touch()
        until = time.monotonic() + 30
        while len(list(tmp_path.glob("[0-9]*"))) < 2 and time.monotonic() < until:
            time.sleep(0.05)  # until both are there
        return os.environ["CUDA_VISIBLE_DEVICES"]

    jobs = [job("a", visible), job("b", visible)]
    with SubmititLauncher("local", jobs=2, gpus=2).engine(tmp_path) as engine:
        result = run_with_retries(engine, jobs.__getitem__, len(jobs), retries=0)
    assert sorted(each.value for each in result) == ["0,1", "2,3"]


def test_a_run_that_is_preempted_saves_and_goes_on(tmp_path):
    """The scheduler's signal comes in the middle of training."""
    settings = [*QUICK, "trainer.max_steps=400", "trainer.checkpoint_every=100000"]
    launcher = ["hydra/launcher=submitit", "hydra.launcher.cluster=local"]
    process = start("-m", "seeds=[0]", *settings, *launcher, f"hydra.sweep.dir={tmp_path}")
    history = tmp_path / "seed=0" / "history.csv"
    while process.poll() is None and not history.exists():
        time.sleep(0.05)
    signal_to_the_job(tmp_path)
    said, _ = process.communicate(timeout=400)
    assert process.returncode == 0, said
    record = json.loads((tmp_path / "seed=0" / "provenance.json").read_text())
    assert record["status"] == "finished"
    assert len(record["resumed"]) == 1, "it went on, and was not begun anew"


def signal_to_the_job(sweep) -> None:
    """What SLURM does some time before it ends a job."""
    import os
    import signal
    from pathlib import Path

    (submitted,) = (sweep / ".submitit").glob("*/*_submitted.pkl")
    controller = submitted.name.partition("_")[0]
    for task in Path(f"/proc/{controller}/task").glob("*/children"):
        for child in task.read_text().split():
            os.kill(int(child), signal.SIGUSR2)


def test_a_sweep_runs_in_processes_and_one_that_fails_is_reported(tmp_path):
    launcher = ["hydra/launcher=submitit", "hydra.launcher.cluster=local", "hydra.launcher.jobs=2"]
    sweep = ["-m", *QUICK, *launcher, f"hydra.sweep.dir={tmp_path}"]
    process = start(*sweep, "dataset.scene=craters,teapot")
    said, _ = process.communicate(timeout=400)
    assert process.returncode == 1, said
    assert "1 of 2 jobs failed:\n  dataset.scene=teapot: ValueError" in said
    done = tmp_path / "dataset.scene=craters"
    assert json.loads((done / "provenance.json").read_text())["status"] == "finished"
