"""The programs as users start them: train, evaluate, sweep, report, and what they refuse."""

import csv
import json
from pathlib import Path

import pytest
from programs import program, scores
from small_runs import tiny

ROOT = Path(__file__).resolve().parents[2]
QUICK = [*tiny(), "eval.images=false"]


@pytest.mark.slow
def test_a_run_leaves_everything_and_is_reproduced_by_eval(tmp_path):
    said = program("train.py", *tiny(), f"hydra.run.dir={tmp_path}")
    assert "psnr" in said
    for name in ("train.log", "history.csv", "mesh.ply", "mesh.glb", "checkpoints/last.pt"):
        assert (tmp_path / name).stat().st_size > 0, name
    assert list((tmp_path / "tensorboard").iterdir())
    assert len(list((tmp_path / "images").glob("*.png"))) == 2
    assert (tmp_path / ".hydra" / "config.yaml").is_file()

    program("eval.py", f"run={tmp_path}")
    assert scores(tmp_path / "eval") == scores(tmp_path)
    assert scores(tmp_path)["chamfer_l1"] > 0

    program(
        "eval.py",
        f"checkpoint={tmp_path}/checkpoints/last.pt",
        "eval.split=train",
        "eval.mesh=null",
    )
    again = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert again["chamfer_l1"] is None
    assert again["conventions"]["psnr"]["split"] == "train"
    assert again["conventions"]["psnr"]["views"] == 6


@pytest.mark.slow
def test_a_sweep_names_its_folders_and_is_reported_in_one_table(tmp_path):
    program(
        "train.py", "-m", *QUICK, "eval.mesh=null", f"hydra.sweep.dir={tmp_path}",
        "loss.terms.eikonal.weight=0.01,0.1",
    )  # fmt: skip
    folders = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert folders == {f"loss.terms.eikonal.weight={weight}" for weight in ("0.01", "0.1")}
    table = program("-m", "nerfloss", "report", str(tmp_path), "--format", "csv")
    rows = list(csv.DictReader(table.splitlines()))
    assert {row["loss.terms.eikonal.weight"] for row in rows} == {"0.01", "0.1"}
    assert all(float(row["psnr"]) > 0 for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["model=nerf", "loss=neus_eikonal"], "eikonal: needs 'gradients', which only SDF fields"),
        (["loss.terms.eikonal.weight=-1"], "a weight is a finite number, 0 or more"),
        (["dataset=blender"], "dataset.path"),
        (["dataset=neus", "dataset.path=/no/such/folder"], "/no/such/folder"),
        (["device=cuda:99"], "device"),
        (["dataset.scene=teapot"], "choose from"),
        (["trainer.resume=/no/such/run"], "/no/such/run"),
    ],
    ids=str,
)
def test_what_cannot_run_is_refused_in_words(tmp_path, overrides, words):
    said = program("train.py", *overrides, f"hydra.run.dir={tmp_path}", succeeds=False)
    assert words in said


@pytest.mark.slow
def test_a_run_that_fails_leaves_its_config_and_the_reason_in_its_log(tmp_path):
    program("train.py", "dataset=blender", f"hydra.run.dir={tmp_path}", succeeds=False)
    assert (tmp_path / ".hydra" / "config.yaml").is_file()
    assert "dataset.path" in (tmp_path / "train.log").read_text()


def test_eval_says_what_it_needs():
    assert "run=<folder> or checkpoint=<file>" in program("eval.py", succeeds=False)


@pytest.mark.parametrize(
    "words", [["train.py", "--help"], ["eval.py", "--help"], ["-m", "nerfloss", "--help"]], ids=str
)
def test_help_waits_for_no_package_that_takes_seconds_to_import(words):
    said = program("-X", "importtime", *words)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in said.splitlines()}
    assert "argparse" in imported
    assert imported.isdisjoint({"torch", "numba", "scipy", "trimesh", "skimage", "rich"})
