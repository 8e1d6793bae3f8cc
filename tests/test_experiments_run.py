"""Every experiment runs two steps on the CPU and is evaluated. There is no list of exceptions."""

import json

import pytest
from small_runs import assembled

from nerfloss.conf_files import conf_dir, named, read_yaml
from nerfloss.testing.scenes import small_scene, write_blender, write_neus

EXPERIMENTS = named(conf_dir() / "experiment")
WRITERS = {"blender": write_blender, "neus": write_neus}


def group(path, name):
    """What an experiment overrides a group with."""
    return next(
        d[f"override /{name}"] for d in read_yaml(path)["defaults"] if f"override /{name}" in d
    )


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_takes_two_steps_and_is_scored(tmp_path, name):
    path = EXPERIMENTS[name]
    overrides = [f"experiment={name}", "trainer.max_seconds=null"]
    dataset = group(path, "dataset")
    if dataset in WRITERS:
        WRITERS[dataset](tmp_path / "scene", small_scene("sphere", views=6, test_views=2, size=24))
        overrides.append(f"dataset.path={tmp_path / 'scene'}")
    run = assembled(tmp_path / "run", *overrides, model=group(path, "model"), dataset=dataset)
    assert run.train()
    assert run.trainer.step == 2
    scores = run.evaluate().values
    assert scores["psnr"] > 0
    written = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert written["psnr"] == scores["psnr"]
    assert (tmp_path / "run" / "history.csv").is_file()
