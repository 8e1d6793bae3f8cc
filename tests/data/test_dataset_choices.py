"""Every layout is a choice of ``dataset``, and is found by ``dataset.path`` alone."""

import re
from pathlib import Path

import benchmark_scenes
import numpy as np
import pytest
import small_scenes
import torch
from hydra.utils import instantiate
from small_runs import composed

from nerfloss.assembly.config_files import conf_dir
from nerfloss.data.formats.detection import LAYOUTS
from nerfloss.data.scene import Scene

SCENE = small_scenes.small_scene(views=4)
POINTS = torch.from_numpy(np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3)))  # in SCENE's units
WRITERS = {
    "blender": small_scenes.write_blender,
    "neus": small_scenes.write_neus,
    "llff": benchmark_scenes.write_llff,
    "sdfstudio": benchmark_scenes.write_sdfstudio,
    "blendedmvs": benchmark_scenes.write_blendedmvs,
    "dtu": benchmark_scenes.write_dtu,
    "tanks_and_temples": lambda folder, scene: benchmark_scenes.write_tanks_and_temples(
        folder, scene, np.eye(4)
    ),
}
# Layouts in which all of the scene's cameras can be written, and the length of 1 in their files.
UNITS = {"llff": 1.0, "sdfstudio": 1.0, "blendedmvs": 1.0, "dtu": 120.0}


def loaded(choice: str, folder: Path) -> Scene:
    overrides = [f"dataset={choice}", f"dataset.path={folder}", "dataset.hold_out={every: 4}"]
    return instantiate(composed(*overrides, dataset=choice).dataset).load()


def test_every_layout_has_a_choice_of_its_name() -> None:
    choices = {path.stem for path in (conf_dir() / "dataset").glob("*.yaml")}
    assert LAYOUTS.keys() <= choices
    for name in LAYOUTS:
        assert composed(f"dataset={name}", dataset=name).dataset.layout == name


def test_every_layout_is_in_the_table_of_layouts_in_the_order_of_detection() -> None:
    page = (Path(__file__).parents[2] / "docs" / "scenes.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert rows == [*LAYOUTS, "photos"]


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_alone_is_read_as_its_choice_is(name: str, tmp_path: Path) -> None:
    folder = WRITERS[name](tmp_path / "scene", SCENE)
    chosen, found = loaded(name, folder), loaded("auto", folder)
    assert found.conventions["layout"] == name
    assert found.train.names == chosen.train.names
    intrinsics = (chosen.train.cameras.intrinsics, found.train.cameras.intrinsics)
    torch.testing.assert_close(*intrinsics)


@pytest.mark.parametrize("name", UNITS)
def test_points_are_seen_where_the_written_cameras_see_them(name: str, tmp_path: Path) -> None:
    scene = loaded(name, WRITERS[name](tmp_path / "scene", SCENE))
    to_scene = np.linalg.inv(scene.to_world)
    moved = UNITS[name] * POINTS.numpy() @ to_scene[:3, :3].T + to_scene[:3, 3]
    points = torch.from_numpy(moved).to(scene.train.cameras.poses.dtype)
    order = sorted((*scene.train.names, *scene.test.names))
    for view, view_name in enumerate(scene.train.names):
        pixels, depth = scene.train.cameras.project(points, view)
        expected, _ = SCENE.train.cameras.project(POINTS.float(), order.index(view_name))
        assert (depth > 0).all()
        torch.testing.assert_close(pixels, expected, atol=1e-3, rtol=0)
