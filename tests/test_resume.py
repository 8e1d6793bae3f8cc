"""A run that is stopped, or killed, goes on to the same bits."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from small_runs import TINY_PATCHES, assembled, tiny

ROOT = Path(__file__).resolve().parent.parent
# Terms that learn themselves: discriminators, an attention, a threshold; and one that remembers.
LEARNED = ("adversarial", "feature_matching", "learnable_chamfer", "spatial_bce", "info_nce")
REFINED = [
    "cameras=refine",
    "cameras.delay=1",
    "cameras.focal=per_view",
    "cameras.distortion=per_camera",
    "dataset.pose_noise.degrees=1.0",
]
QUICK_WARMUP = [
    "initialization=density_warmup",
    "initialization.min_explained_variance=-1",
    "initialization.warmup.steps=20",
    "initialization.warmup.rays=128",
]


def parameters(run):
    tensors = dict(run.model.field.named_parameters()) | dict(run.model.field.named_buffers())
    if run.model.appearance is not None:
        tensors |= dict(run.model.appearance.named_parameters())
    if run.model.background is not None:
        behind = run.model.background
        tensors |= {f"background.{name}": value for name, value in behind.named_parameters()}
        tensors |= {f"background.{name}": value for name, value in behind.named_buffers()}
    recipe = run.trainer.recipe
    if run.model.cameras is not None:
        tensors |= run.model.cameras.state_dict()
    tensors |= dict(recipe.named_parameters()) | dict(recipe.named_buffers())
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize(
    ("model", "overrides"),
    [
        ("neus", ["loss=neus_full", "initialization=auto"]),
        pytest.param("neus", ["dataset.masks=false", *QUICK_WARMUP], marks=pytest.mark.slow),
        ("nerf", ["loss=nerf_robust"]),
        ("neus", ["loss=photos_masked", "loss.terms.patches.fn.patch=5"]),
        ("neus", ["batch=error_guided", "batch.refresh_every=1"]),
        pytest.param(
            "neus",
            ["batch=error_guided", "batch.refresh_every=1", "dataset.masks=false", *QUICK_WARMUP],
            marks=pytest.mark.slow,
        ),
        ("nerf", ["loss=nerf", "background=contracted", "dataset.masks=false"]),
        ("nerf", ["loss=nerf", "appearance=affine"]),
        ("nerf", ["loss=nerf", "appearance=bilateral"]),
        ("neus", ["appearance=embedding"]),
        ("nerf", ["loss=nerf", *REFINED]),
        pytest.param("neus", ["loss=neus_eikonal", *REFINED], marks=pytest.mark.slow),
        pytest.param("volsdf", ["loss=volsdf", "sampler=hierarchical"], marks=pytest.mark.slow),
        (
            "nerf",
            ["loss=nerf", "sampler=proposal", "+loss/term@loss.terms.interlevel=interlevel"],
        ),
        pytest.param(
            "neus",
            [
                *(f"+loss/term@loss.terms.{name}={name}" for name in LEARNED),
                "loss.terms.feature_matching.fn.mode=wasserstein",
                "+model/head=features",
                "dataset.scene=toys",
                *TINY_PATCHES,
            ],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_three_steps_and_three_resumed_equal_six(tmp_path, model, overrides):
    overrides = [f"model={model}", *overrides, "trainer.max_steps=6"]
    whole = assembled(tmp_path / "whole", *overrides, model=model)
    assert whole.train()

    first = assembled(tmp_path / "parts", *overrides, model=model)
    first.trainer.clock.budget = _ends_after(first.trainer.clock.budget, 3)
    assert first.train()
    assert not same(parameters(first), parameters(whole))

    second = assembled(tmp_path / "parts", *overrides, model=model)
    second.load(tmp_path / "parts" / "checkpoints" / "last.pt")
    assert second.trainer.step == 3
    assert second.train()
    assert same(parameters(second), parameters(whole))
    assert second.trainer.rays == whole.trainer.rays


def _ends_after(budget, steps):
    """Keep the schedules but end the run early, as Ctrl-C does."""

    class Cut(type(budget)):
        def spent(self, step, seconds):
            return step >= steps or super().spent(step, seconds)

    return Cut(budget.max_steps, budget.max_seconds, budget.clock)


def history_without_times(folder):
    with open(folder / "history.csv") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if "second" not in k} for row in rows]


def scores(folder):
    found = json.loads((folder / "metrics.json").read_text())
    return {name: value for name, value in found.items() if not name.endswith("seconds")}


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_numbers_of_an_uninterrupted_one(tmp_path):
    settings = [*tiny(), "trainer.max_steps=400", "trainer.checkpoint_every=20"]
    settings += ["eval.mesh=null", "eval.geometry={}", "eval.images=false"]

    def start(folder, *more):
        command = [sys.executable, "train.py", *settings, *more, f"hydra.run.dir={folder}"]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole).wait() == 0
    process = start(killed)
    checkpoint = killed / "checkpoints" / "last.pt"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "metrics.json").exists()

    again = [sys.executable, "train.py", f"trainer.resume={killed}"]
    assert subprocess.run(again, cwd=ROOT, capture_output=True).returncode == 0
    a, b = (torch.load(f / "checkpoints" / "last.pt", weights_only=True) for f in (whole, killed))
    for name, value in a["state"]["model"]["field"].items():
        other = b["state"]["model"]["field"][name]
        assert torch.equal(value, other) if isinstance(value, torch.Tensor) else value == other, (
            name
        )
    assert history_without_times(whole) == history_without_times(killed)
    assert scores(killed) == scores(whole)


@pytest.mark.slow
def test_a_terminated_run_saves_and_prints_how_to_resume(tmp_path):
    command = [sys.executable, "train.py", *tiny(), "trainer.max_steps=100000"]
    process = subprocess.Popen(
        [*command, f"hydra.run.dir={tmp_path}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    history = tmp_path / "history.csv"
    while process.poll() is None and not (history.exists() and "\n10," in history.read_text()):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"trainer.resume={tmp_path}" in said
    assert (tmp_path / "checkpoints" / "last.pt").is_file()
