"""A full disk: the last checkpoint and all numbers written so far stay readable."""

import contextlib
import csv
import json
import logging
import resource
import threading

import numpy as np
import pytest
import torch
import trimesh
from small_runs import assembled, history

from nerfloss.assembly.provenance import read_provenance, recorded
from nerfloss.evaluation.image_grid import write_image_grid
from nerfloss.evaluation.scores import Evaluation, Score
from nerfloss.files import WriteError, atomic_write
from nerfloss.training import checkpoint
from nerfloss.training.loggers.csv_logger import CsvLogger
from nerfloss.training.loggers.logger import Loggers
from nerfloss.training.loggers.tensorboard import TensorBoardLogger

# TensorBoard's own thread dies with an error.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture(autouse=True)
def dying_threads_end():
    """Let TensorBoard's thread die here, and not in the next file's tests."""
    yield
    for thread in threading.enumerate():
        if type(thread).__name__ == "_AsyncWriterThread":
            thread.join(timeout=2)


def warnings_of(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


@contextlib.contextmanager
def files_of_at_most(size):
    """Let writes beyond ``size`` bytes per file fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(small_disk):
    path = small_disk.folder / "last.pt"
    checkpoint.save(path, {"step": 1, "table": torch.ones(1000)})
    small_disk.fill(left=100_000)
    with pytest.raises(WriteError, match=r"last\.pt could not be written: No space left on device"):
        checkpoint.save(path, {"step": 2, "table": torch.ones(100_000)})
    assert checkpoint.load(path)["step"] == 1
    assert {p.name for p in small_disk.folder.iterdir()} == {"last.pt", "filler"}
    small_disk.make_room()
    checkpoint.save(path, {"step": 2, "table": torch.ones(100_000)})
    assert checkpoint.load(path)["step"] == 2


def test_a_file_beyond_the_limit_of_its_size_is_not_written_in_part(tmp_path):
    path = tmp_path / "last.pt"
    atomic_write(path, b"old")
    with (
        files_of_at_most(10_000),
        pytest.raises(WriteError, match=r"1 MB are needed.*previous file is unchanged"),
    ):
        atomic_write(path, bytes(1_000_000))
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_run_on_a_full_disk_ends_with_an_error_and_resumes(small_disk, tmp_path, caplog):
    settings = ["trainer.max_steps=12", "trainer.checkpoint_every=4"]
    settings += ["trainer.preview_every=6", "sampler.resolution=8"]
    whole = assembled(tmp_path / "whole", *settings)
    assert whole.train()
    folder = small_disk.folder / "run"
    run = assembled(folder, *settings)
    advance = run.model.field.advance

    def advance_and_fill(step):
        if run.trainer.step == 5:
            small_disk.fill()
        advance(step)

    run.model.field.advance = advance_and_fill
    with pytest.raises(WriteError, match=r"checkpoints/last\.pt could not be written"):
        run.train()
    assert run.trainer.step == 8
    assert checkpoint.load(folder / "checkpoints" / "last.pt")["step"] == 4
    said = warnings_of(caplog)
    assert len([line for line in said if line.startswith("no image grid")]) == 1
    assert len([line for line in said if line.startswith("CsvLogger lacks")]) == 1

    small_disk.make_room()
    again = assembled(folder, *settings)
    again.load(folder / "checkpoints" / "last.pt")
    assert again.train()
    for one, other in zip(
        whole.model.field.parameters(), again.model.field.parameters(), strict=True
    ):
        assert torch.equal(one, other)
    assert [r["step"] for r in history(folder)] == [r["step"] for r in history(tmp_path / "whole")]


def rows_of(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def test_a_row_that_does_not_fit_damages_no_other(small_disk, caplog):
    path = small_disk.folder / "history.csv"
    table = CsvLogger(path, every=1)
    loggers = Loggers([table])
    # A page of a file system is 4096 bytes.
    words = {f"number {i}": 1 / (i + 3) for i in range(300)}
    loggers.write(1, words)
    small_disk.fill()
    for step in (2, 3, 4):
        loggers.write(step, words)
    assert [row["step"] for row in rows_of(path)] == ["1"]
    loggers.write(5, {"late": 1.0})
    assert "late" not in rows_of(path)[0], "a column that does not fit, neither"
    small_disk.make_room()
    loggers.write(6, {**words, "late": 1.0})
    assert [(row["step"], row["late"]) for row in rows_of(path)] == [("1", ""), ("6", "1")]
    assert len(warnings_of(caplog)) == 1


def test_a_row_survives_a_failed_extension(small_disk):
    table = CsvLogger(small_disk.folder / "history.csv", every=1)
    table.write(1, {"word": "x" * 3000, "psnr": 1.0})
    small_disk.fill()
    with pytest.raises(OSError, match="No space left"):
        table.write(1, {"word": "x" * 3000, "more": "y" * 3000})
    assert rows_of(table.path) == [{"step": "1", "word": "x" * 3000, "psnr": "1"}]


def test_tensorboard_events_that_do_not_fit_end_no_run(small_disk, caplog):
    loggers = Loggers([TensorBoardLogger(small_disk.folder / "tensorboard", every=1)])
    small_disk.fill()
    with loggers:
        for step in range(1, 40):
            loggers.write(step, {"loss/total": 1.0})
            loggers.image(step, "preview", np.zeros((64, 64, 3), np.uint8))
    assert len(warnings_of(caplog)) == 1


def test_scores_are_written_where_the_mesh_does_not_fit(small_disk, caplog):
    mesh = trimesh.creation.icosphere(subdivisions=5)
    small_disk.fill(left=40_000)
    Evaluation({"psnr": Score(30.0)}, (), mesh).write(small_disk.folder / "run")
    assert json.loads((small_disk.folder / "run" / "metrics.json").read_text())["psnr"] == 30.0
    content = json.loads((small_disk.folder / "run" / "metrics.json").read_text())
    assert "No space left" in content["reasons"]["mesh.ply"]
    assert {p.name for p in (small_disk.folder / "run").iterdir()} == {"metrics.json"}
    assert [said.startswith("no mesh.") for said in warnings_of(caplog)] == [True, True]


def test_scores_that_do_not_fit_leave_those_from_before(small_disk):
    Evaluation({"psnr": Score(30.0)}).write(small_disk.folder)
    small_disk.fill()
    with pytest.raises(WriteError, match=r"metrics\.json could not be written"):
        Evaluation({"psnr": Score(31.0)}).write(small_disk.folder)
    assert json.loads((small_disk.folder / "metrics.json").read_text())["psnr"] == 30.0


def test_an_image_that_does_not_fit_is_a_warning(small_disk, caplog):
    small_disk.fill()
    picture = {"rgb": torch.rand(64, 64, 3)}
    assert not write_image_grid(picture, small_disk.folder / "images" / "a.png")
    assert len(warnings_of(caplog)) == 1
    small_disk.make_room()
    assert write_image_grid(picture, small_disk.folder / "images" / "a.png")


def test_the_error_of_a_run_is_not_hidden_by_a_full_disk(small_disk, caplog):
    def fail():
        with recorded(small_disk.folder, {"trainer": {}, "seed": 0}, overrides=[]):
            small_disk.fill()
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (read_provenance(small_disk.folder) or {})["status"] == "running"
    assert "provenance.json could not be written" in warnings_of(caplog)[0]
