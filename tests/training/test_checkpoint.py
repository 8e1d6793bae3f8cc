"""Checkpoints: whole or absent, readable without running code, and clear about what is wrong."""

import os
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from nerfloss.training import checkpoint
from nerfloss.training.checkpoint import CheckpointError, latest, load, save

# Forks a child that saves without end, kills it at a random moment, and reads what it left.
KILLED_WHILE_SAVING = """
import os, random, signal, sys, time
import torch
from nerfloss.training.checkpoint import load, save

torch.set_num_threads(1)
path = sys.argv[1]
save(path, {"step": 0, "table": torch.zeros(300_000)})
for attempt in range(12):
    child = os.fork()
    if child == 0:
        step = 0
        while True:
            step += 1
            save(path, {"step": step, "table": torch.full((300_000,), float(step))})
    time.sleep(random.Random(attempt).uniform(0.02, 0.15))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    state = load(path)
    assert (state["table"] == state["step"]).all(), state["step"]
assert state["step"] > 0
print("whole")
"""


@pytest.fixture
def state() -> dict:
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return {
        "step": 7,
        "best": 31.25,
        "name": "neus",
        "stopped": False,
        "nothing": None,
        "field": layer.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
        "order": [1, (2.0, "three")],
    }


def test_a_loaded_state_equals_the_saved_one(tmp_path: Path, state: dict) -> None:
    save(tmp_path / "checkpoints" / "last.pt", state)
    loaded = load(tmp_path / "checkpoints" / "last.pt")
    assert {k: loaded[k] for k in ("step", "best", "name", "stopped", "nothing", "order")} == {
        k: state[k] for k in ("step", "best", "name", "stopped", "nothing", "order")
    }
    torch.testing.assert_close(loaded["field"], dict(state["field"]), rtol=0, atol=0)
    torch.testing.assert_close(loaded["random"], state["random"], rtol=0, atol=0)
    moments = loaded["optimizer"]["state"][0]["exp_avg"]
    torch.testing.assert_close(moments, state["optimizer"]["state"][0]["exp_avg"])


def test_an_optimizer_accepts_its_loaded_state(tmp_path: Path, state: dict) -> None:
    save(tmp_path / "last.pt", state)
    torch.optim.AdamW(torch.nn.Linear(3, 2).parameters()).load_state_dict(
        load(tmp_path / "last.pt")["optimizer"]
    )


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (np.float64(1.0), "numpy.float64"),
        (np.zeros(3), "numpy.ndarray"),
        (Path("a"), "Path"),
        ({1, 2}, "set"),
        (len, "builtin_function"),
    ],
)
def test_a_value_that_needs_code_to_load_is_refused_by_its_key(
    tmp_path: Path, value: object, kind: str
) -> None:
    with pytest.raises(TypeError, match=rf"state\.sampler\.grid\[1\] is a .*{kind}"):
        save(tmp_path / "last.pt", {"sampler": {"grid": [0, value]}})
    assert not list(tmp_path.iterdir())


def test_a_key_that_is_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"state\.terms: a key must be a string or an int"):
        save(tmp_path / "last.pt", {"terms": OrderedDict({(1, 2): 3})})


def test_a_view_is_saved_without_the_rest_of_its_storage(tmp_path: Path) -> None:
    save(tmp_path / "last.pt", {"row": torch.zeros(1000, 1000)[3]})
    assert (tmp_path / "last.pt").stat().st_size < 20_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_being_killed_while_saving_never_leaves_a_broken_checkpoint(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", KILLED_WHILE_SAVING, str(tmp_path / "last.pt")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout == "whole\n", done.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {"last.pt", "last.pt.unfinished"}


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_a_checkpoint_cut_short_is_named(tmp_path: Path, kept: float) -> None:
    save(tmp_path / "last.pt", {"table": torch.zeros(1000)})
    content = (tmp_path / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(content[: int(kept * len(content))])
    with pytest.raises(CheckpointError, match=r"last\.pt cannot be read as a checkpoint"):
        load(tmp_path / "last.pt")


def test_a_text_file_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_text("a photograph of a checkpoint")
    with pytest.raises(CheckpointError, match=r"last\.pt cannot be read as a checkpoint"):
        load(tmp_path / "last.pt")


def test_a_checkpoint_of_another_program_is_refused(tmp_path: Path) -> None:
    torch.save({"step": 1}, tmp_path / "foreign.pt")
    with pytest.raises(CheckpointError, match=r"foreign\.pt was not written by nerfloss"):
        load(tmp_path / "foreign.pt")


def test_a_checkpoint_of_another_format_names_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "VERSION", 99)
    save(tmp_path / "last.pt", {"step": 1})
    monkeypatch.undo()
    with pytest.raises(
        CheckpointError, match=f"has checkpoint format 99, this nerfloss reads {checkpoint.VERSION}"
    ):
        load(tmp_path / "last.pt")


def test_the_latest_checkpoint_is_found_from_the_run_its_folder_or_the_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run" / "checkpoints" / "last.pt"
    save(path, {"step": 1})
    assert latest(tmp_path / "run") == latest(path.parent) == latest(path) == path


def test_a_folder_without_checkpoints_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").touch()
    with pytest.raises(
        FileNotFoundError, match=r"holds no checkpoints/last\.pt, but metrics\.json"
    ):
        latest(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no run at"):
        latest(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        load(tmp_path / "nowhere.pt")


@pytest.mark.parametrize(
    "error",
    [KeyError("field"), TypeError("no str"), RuntimeError("size mismatch"), ValueError("x")],
)
def test_a_part_that_cannot_read_its_state_names_the_file(error):
    with (
        pytest.raises(
            CheckpointError, match=r"last\.pt does not hold the state of this run .*same run"
        ),
        checkpoint.fitting(Path("last.pt")),
    ):
        raise error


def test_memory_that_runs_out_is_no_fault_of_the_file():
    with pytest.raises(torch.OutOfMemoryError), checkpoint.fitting(Path("last.pt")):
        raise torch.OutOfMemoryError("out of memory")


@pytest.mark.parametrize("value", ["x", -5, 1.5, None])
def test_counts_are_whole_numbers(value):
    checkpoint.check_counts({"step": 3}, ("step",))
    with pytest.raises(ValueError, match=r"step is .*, no count"):
        checkpoint.check_counts({"step": value}, ("step",))
