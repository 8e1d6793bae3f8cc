"""The two splits of NeRF-synthetic: their names, what is held out, and poses of one scale."""

import json

import numpy as np
import pytest
from PIL import Image
from transforms_scenes import content, poses, write

from nerfloss.data.errors import DataError
from nerfloss.data.formats import blender_layout, nerfstudio
from nerfloss.data.formats.blender import BlenderDataset
from nerfloss.data.formats.parsed_scene import ParseSettings

SETTINGS = ParseSettings()


def write_splits(folder, *splits, name="r_{}"):
    """Write views of each split; all have the same names."""
    for split in splits:
        (folder / split).mkdir(parents=True)
        frames = []
        for index, matrix in enumerate(poses(9)):
            file = name.format(index)
            Image.new("RGBA", (8, 6), (index, 2, 3, 255 * (index % 2))).save(
                folder / split / f"{file}.png"
            )
            frames.append({"file_path": f"./{split}/{file}", "transform_matrix": matrix.tolist()})
        values = {"camera_angle_x": 0.8, "frames": frames}
        (folder / f"transforms_{split}.json").write_text(json.dumps(values))
    return folder


def log_of(caplog, folder, **settings):
    with caplog.at_level("INFO"):
        scene = BlenderDataset(str(folder), masks=False, **settings).load()
    return scene, [record.getMessage() for record in caplog.records]


def test_names_that_are_in_both_splits_get_the_split(tmp_path):
    parsed = blender_layout.parse(write_splits(tmp_path, "train", "test"), SETTINGS)
    names = [frame.name for frame in parsed.frames]
    assert len(set(names)) == 18
    assert names[0] == "train/r_0"
    assert names[9] == "test/r_0"


def test_names_of_one_split_are_stems(tmp_path):
    parsed = blender_layout.parse(write_splits(tmp_path, "train"), SETTINGS)
    assert parsed.frames[0].name == "r_0"


@pytest.mark.parametrize("word", ["r_3", "r_3.png", "train/r_3", "./train/r_3.png"])
def test_a_training_view_is_held_out_by_any_spelling(tmp_path, caplog, word):
    folder = write_splits(tmp_path, "train", "test")
    scene, _ = log_of(caplog, folder, hold_out=[word])
    assert scene.test.names == ("train/r_3",)
    assert len(scene.train) == 8


def test_a_test_view_is_not_the_training_view_of_its_name(tmp_path):
    folder = write_splits(tmp_path, "train", "test")
    with pytest.raises(DataError, match="no view has the name 'test/r_3'"):
        BlenderDataset(str(folder), masks=False, hold_out=["test/r_3"]).load()


def test_without_test_file_it_is_said_which_views_are_held_out(tmp_path, caplog):
    scene, lines = log_of(caplog, write_splits(tmp_path / "a", "train", "val"))
    assert "no transforms_test.json: the test views are those of transforms_val.json" in lines
    assert scene.test.names[0] == "test/r_0"
    caplog.clear()
    scene, lines = log_of(caplog, write_splits(tmp_path / "b", "train"))
    assert scene.test.names == ("r_0", "r_8")
    held = "every 8th view is held out, r_0, r_8 (dataset.hold_out)"
    assert f"the files name no test views: {held}" in lines


@pytest.mark.parametrize("scale", [0.5, 1.02, 3.0])
def test_a_pose_whose_scale_is_not_that_of_the_others_is_refused(tmp_path, scale):
    values = content()
    matrix = np.array(values["frames"][2]["transform_matrix"])
    matrix[:3, :3] *= scale
    values["frames"][2]["transform_matrix"] = matrix.tolist()
    message = rf"pose of images/2.png scales by {scale:.4g}, that of the others by 1 \(1 of 4"
    with pytest.raises(DataError, match=message):
        nerfstudio.parse(write(tmp_path, values), SETTINGS)


def test_one_scale_of_all_poses_is_removed_and_said(tmp_path):
    values = content()
    for frame in values["frames"]:
        matrix = np.array(frame["transform_matrix"])
        matrix[:3, :3] *= 0.5
        frame["transform_matrix"] = matrix.tolist()
    parsed = nerfstudio.parse(write(tmp_path, values), SETTINGS)
    assert any("scale by 0.5" in note for note in parsed.notes)
    np.testing.assert_allclose(np.linalg.det(parsed.frames[0].pose[:, :3]), 1)
