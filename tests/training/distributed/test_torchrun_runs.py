"""Runs started by torchrun: one folder, one log, and the end of a process."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from small_runs import assembled, history, tiny

ROOT = Path(__file__).resolve().parents[3]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
# Long enough to be ended, with a checkpoint now and then.
ENDLESS = ["trainer.max_steps=100000", "trainer.checkpoint_every=20"]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc for the processes")


def begun(folder: Path) -> subprocess.Popen:
    """Two processes that train in a folder."""
    command = [*TORCHRUN, "train.py", *tiny(), *ENDLESS, f"hydra.run.dir={folder}"]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for_step(folder: Path, step: int, process: subprocess.Popen) -> None:
    file = folder / "history.csv"
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        if file.exists() and (rows := history(folder)) and int(rows[-1]["step"]) >= step:
            return
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate()[0])


def process_of_rank(rank: int, parent: int) -> int:
    """Return the id of the process that torchrun started for a rank."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text()
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        ours = f"PPid:\t{parent}\n" in status
        if ours and f"RANK={rank}".encode() in environment:
            return int(folder.name)
    raise AssertionError(f"there is no process of rank {rank}")


def saved(folder: Path) -> dict:
    return torch.load(folder / "checkpoints" / "last.pt", weights_only=True)["state"]


@LINUX
@pytest.mark.slow
def test_a_signal_to_any_process_stops_all_after_the_same_step_and_saves(tmp_path):
    process = begun(tmp_path)
    wait_for_step(tmp_path, 10, process)
    os.kill(process_of_rank(1, process.pid), signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert said.count(f"trainer.resume={tmp_path}") == 1
    assert f"torchrun --nproc_per_node=2 train.py trainer.resume={tmp_path}" in said
    assert saved(tmp_path)["step"] >= 10
    record = json.loads((tmp_path / "provenance.json").read_text())
    assert (record["status"], record["processes"]) == ("stopped", 2)
    steps = [row["step"] for row in history(tmp_path)]
    assert len(steps) == len(set(steps))


@LINUX
@pytest.mark.slow
def test_a_killed_process_ends_the_run_and_its_checkpoint_can_be_resumed(tmp_path):
    process = begun(tmp_path)
    wait_for_step(tmp_path, 30, process)
    lost = time.monotonic()
    os.kill(process_of_rank(1, process.pid), signal.SIGKILL)
    said, _ = process.communicate(timeout=120)
    assert time.monotonic() - lost < 60
    assert process.returncode != 0
    assert "another process of this run has ended" in said or "SIGKILL" in said
    step = saved(tmp_path)["step"]
    assert step >= 20
    assert step % 20 == 0
    run = assembled(tmp_path, f"trainer.max_steps={step + 2}")
    run.load(tmp_path / "checkpoints" / "last.pt")
    assert run.train()
    assert run.trainer.step == step + 2
