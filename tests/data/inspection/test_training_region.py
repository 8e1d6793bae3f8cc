"""Region and test views of an inspection are those of the training with the same settings."""

import numpy as np
import pytest
import small_scenes

from nerfloss.data.errors import DataError
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.inspection.inspect_scene import inspect_scene
from nerfloss.data.inspection.overview_picture import legend
from nerfloss.data.inspection.plot_frame import view_colors

SETTINGS = {
    "as they are": {},
    "no masks": {"masks": False},
    "a larger scene": {"scene_scale": 3},
    "axes of the files": {"orientation": "files"},
    "another centre": {"region": {"center": [5, -20, 310]}},
    "another radius": {"region": {"radius": 150, "up": [0, 1, 0]}},
    "every third": {"hold_out": 3},
    "a sector": {"hold_out": {"sector": 0.3}},
    "azimuth": {"hold_out": {"sector": [0, 180]}},
    "a name": {"hold_out": ["002"]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    scene = small_scenes.small_scene(views=8)
    return small_scenes.write_neus(tmp_path_factory.mktemp("scenes") / "neus", scene)


@pytest.mark.parametrize("name", SETTINGS)
def test_they_are_those_of_training(name, folder) -> None:
    dataset = FolderDataset(str(folder), **SETTINGS[name])
    shown = inspect_scene(dataset.parsed, dataset.build_settings, matches=False)
    scene = dataset.load()
    np.testing.assert_allclose(shown.scene.to_world, scene.to_world, atol=1e-9)
    assert shown.parsed.test is not None
    held = tuple(shown.parsed.frames[view].name for view in shown.parsed.test)
    assert held == scene.test.names
    blue = [view for view, color in enumerate(view_colors(shown)) if color == "#2f6fde"]
    assert {*blue, *shown.suspicious_views} >= {*shown.parsed.test}
    assert ("1 in scene units" in legend(shown)) == (shown.scene.radius != shown.region.radius)


def test_hull_is_drawn_where_files_state_the_region_too(folder) -> None:
    dataset = FolderDataset(str(folder))
    shown = inspect_scene(dataset.parsed, matches=False)
    assert shown.region.source == "files"
    assert shown.hull is not None
    distance = np.linalg.norm(shown.hull - shown.region.center, axis=1)
    assert (distance < shown.region.radius).mean() > 0.9
    assert "visual hull" in legend(shown)
    without = FolderDataset(str(folder), masks=False)
    assert inspect_scene(without.parsed, without.build_settings, matches=False).hull is None


def test_a_smaller_size_is_shown_or_refused(folder) -> None:
    half = FolderDataset(str(folder), downscale=2)
    width = half.load().train.cameras.width
    shown = inspect_scene(half.parsed, half.build_settings, matches=False)
    assert any(row.name == "trained at" and f"{width} x" in row.value for row in shown.rows)


def test_a_rule_of_the_settings_that_fits_no_view_is_an_error(folder) -> None:
    dataset = FolderDataset(str(folder), hold_out=["nine"])
    with pytest.raises(DataError, match="no view has the name 'nine'"):
        inspect_scene(dataset.parsed, dataset.build_settings, matches=False)
    single = FolderDataset(str(folder)).parsed
    one = inspect_scene(type(single)(single.folder, "neus", single.frames[:1]), matches=False)
    assert "hold_out" in {finding.kind for finding in one.findings}
