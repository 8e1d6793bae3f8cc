"""Every experiment runs two steps on the CPU and is evaluated. There is no list of exceptions."""

import json

import numpy as np
import pytest
from benchmark_scenes import write_blendedmvs, write_tanks_and_temples
from random_weights import supply_weights
from slow_params import slow_but
from small_runs import TINY_PATCHES, composed
from small_scenes import small_scene, write_blender, write_neus

from nerfloss.assembly.build import assemble
from nerfloss.assembly.config_files import conf_dir, named, read_yaml
from nerfloss.data.formats.convert_scene import convert_scene
from nerfloss.data.formats.detection import layout_module
from nerfloss.data.formats.parsed_scene import ParseSettings

EXPERIMENTS = named(conf_dir() / "experiment")
# One of each kind: an exact scene, each format on disk, patches with a stateful term.
FAST = ("toy", "lego", "dtu65", "study_adversarial", "mipnerf360")


def write_colmap(folder, scene):
    """Write a scene in COLMAP's layout, from its files in that of NeRF-synthetic."""
    source = write_blender(folder.with_name("source"), scene)
    convert_scene(layout_module("blender").parse(source, ParseSettings()), "colmap", folder)


WRITERS = {
    "blender": write_blender,
    "neus": write_neus,
    "colmap": write_colmap,
    "blendedmvs": write_blendedmvs,
    "tanks_and_temples": lambda folder, scene: write_tanks_and_temples(folder, scene, np.eye(4)),
}


def group(path, name):
    """What an experiment overrides a group with, None where it does not."""
    defaults = [d for d in read_yaml(path)["defaults"] if isinstance(d, dict)]
    return next((d[f"override /{name}"] for d in defaults if f"override /{name}" in d), None)


def patches_for(cfg):
    """Patches for a tiny batch: a network needs more pixels than a window does."""
    deep = any("weights" in term.fn for term in cfg.loss.terms.values())
    size = ["batch.height=18", "batch.width=18", "trainer.batch_size.rays=324"] if deep else []
    return [*TINY_PATCHES, *size]


@pytest.mark.parametrize("name", slow_but(FAST, EXPERIMENTS))
def test_an_experiment_takes_two_steps_and_is_scored(tmp_path, weights_folder, name):
    path = EXPERIMENTS[name]
    overrides = [f"experiment={name}", "trainer.max_seconds=null"]
    dataset = group(path, "dataset")
    if dataset in WRITERS:
        size = 24 * read_yaml(path)["dataset"].get("downscale", 1)
        scene = small_scene("sphere", views=9, test_views=2, size=size)
        WRITERS[dataset](tmp_path / "scene", scene)
        overrides.append(f"dataset.path={tmp_path / 'scene'}")
    sizes = {"model": group(path, "model"), "dataset": dataset}
    cfg = composed(*overrides, **sizes)
    if group(path, "batch") == "patch":
        cfg = composed(*overrides, *patches_for(cfg), **sizes)
    for term in cfg.loss.terms.values():
        supply_weights(term.fn, weights_folder)
    run = assemble(cfg, tmp_path / "run")
    assert run.train()
    assert run.trainer.step == 2
    scores = run.evaluate().values
    assert scores["psnr"] > 0
    written = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert written["psnr"] == scores["psnr"]
    assert (tmp_path / "run" / "history.csv").is_file()
