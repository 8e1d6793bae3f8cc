"""Files of a scene name nothing outside of its folder, unless the user says that they may."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import test_colmap
from PIL import Image
from test_sdfstudio import META
from transforms_scenes import content, write

from nerfloss.data.errors import DataError
from nerfloss.data.formats import colmap, nerfstudio, sdfstudio
from nerfloss.data.formats.convert_scene import convert_scene
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.formats.parsed_scene import ParseSettings

SETTINGS, OUTSIDE = ParseSettings(), ParseSettings(outside=True)
REMEDY = r"copy the file into the folder, or set dataset\.outside=true"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A picture that is the user's own, beside the scene."""
    (tmp_path / "private").mkdir()
    path = tmp_path / "private" / "secret.png"
    Image.new("RGB", (8, 6), (200, 0, 0)).save(path)
    np.save(path.with_suffix(".npy"), np.ones((6, 8), np.float32))
    return path


def spelled(secret: Path, spelling: str) -> str:
    return {
        "absolute": str(secret),
        "relative": "../private/secret.png",
        "through": "images/../../private/secret.png",
        "without ending": "../private/secret",
        "other case": "../Private/SECRET.png",
        "backslashes": "..\\private\\secret.png",
    }[spelling]


SPELLINGS = ["absolute", "relative", "through", "without ending", "other case", "backslashes"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_image_outside_of_the_folder_is_refused(tmp_path, secret, spelling) -> None:
    values = content()
    values["frames"][1]["file_path"] = spelled(secret, spelling)
    folder = write(tmp_path / "scene", values)
    with pytest.raises(DataError, match=rf"scene: file_path '.*' of its views.*{REMEDY}"):
        nerfstudio.parse(folder, SETTINGS)
    with pytest.raises(DataError, match=REMEDY):
        nerfstudio.parse(folder, ParseSettings(missing="skip"))
    scene = nerfstudio.parse(folder, OUTSIDE)
    assert any(frame.image.samefile(secret) for frame in scene.frames)
    assert all(".." not in frame.name and frame.name[0] != "/" for frame in scene.frames)


@pytest.mark.parametrize("key", ["mask_path", "depth_file_path", "normal_file_path"])
def test_masks_and_maps_outside_of_the_folder_are_refused(tmp_path, secret, key) -> None:
    values = content()
    values["frames"][1][key] = str(secret)
    folder = write(tmp_path / "scene", values)
    with pytest.raises(DataError, match=rf"{key} '.*secret\.png'.*{REMEDY}"):
        nerfstudio.parse(folder, SETTINGS)
    assert nerfstudio.parse(folder, OUTSIDE)


def test_points_outside_of_the_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "points.ply").write_text("ply\nformat ascii 1.0\nend_header\n")
    folder = write(tmp_path / "scene", content(ply_file_path="../points.ply"))
    with pytest.raises(DataError, match=rf"ply_file_path '\.\./points\.ply'.*{REMEDY}"):
        nerfstudio.parse(folder, SETTINGS)


@pytest.mark.parametrize("key", ["rgb_path", "mono_depth_path"])
def test_files_of_sdfstudio_are_held_to_the_same(tmp_path, secret, key) -> None:
    values = copy.deepcopy(META)
    for frame in values["frames"]:
        frame.pop("mono_depth_path")
        frame.pop("mono_normal_path")
    place = secret if key == "rgb_path" else secret.with_suffix(".npy")
    values["frames"][2][key] = f"../private/{place.name}"
    folder = write(tmp_path / "scene", values, "meta_data.json")
    with pytest.raises(DataError, match=rf"{key} '\.\./private.*{REMEDY}"):
        sdfstudio.parse(folder, SETTINGS)
    scene = sdfstudio.parse(folder, OUTSIDE)
    assert all(".." not in frame.name for frame in scene.frames)


@pytest.mark.parametrize("spelling", ["absolute", "relative"])
def test_an_image_name_of_colmap_leads_out_of_no_folder(tmp_path, secret, spelling) -> None:
    folder = test_colmap.write(tmp_path / "scene")
    images = folder / "sparse" / "0" / "images.txt"
    leading = {"absolute": str(secret), "relative": "../../private/secret.png"}[spelling]
    text = images.read_text()
    assert "b/a 9.jpg" in text
    images.write_text(text.replace("b/a 9.jpg", leading))
    with pytest.raises(DataError, match=r"missing|no image"):
        colmap.parse(folder, SETTINGS)


def test_paths_of_another_computer_are_found_in_the_folder_first(tmp_path) -> None:
    values = content()
    values["frames"][1]["file_path"] = str(tmp_path / "other" / "images" / "1.png")
    write(tmp_path / "other", values)
    scene = nerfstudio.parse(write(tmp_path / "scene", values), SETTINGS)
    assert all(frame.image.is_relative_to(tmp_path / "scene") for frame in scene.frames)
    assert any("paths of another machine" in note for note in scene.notes)


def test_links_and_folders_that_the_user_names_are_theirs(tmp_path: Path) -> None:
    folder = write(tmp_path / "scene", content())
    (folder / "images").rename(tmp_path / "photographs")
    (folder / "images").symlink_to(tmp_path / "photographs")
    assert len(nerfstudio.parse(folder, SETTINGS).frames) == 4
    (folder / "images").unlink()
    named = ParseSettings(images="../photographs")
    assert len(nerfstudio.parse(folder, named).frames) == 4


def test_the_setting_reaches_the_reader(tmp_path: Path, secret: Path) -> None:
    values = content()
    values["frames"][1]["file_path"] = str(secret)
    folder = write(tmp_path / "scene", values)
    with pytest.raises(DataError, match=REMEDY):
        _ = FolderDataset(str(folder)).parsed
    assert len(FolderDataset(str(folder), outside=True).parsed.frames) == 4


@pytest.mark.usefixtures("secret")
def test_a_conversion_writes_into_its_own_folder_alone(tmp_path: Path) -> None:
    values = content()
    values["frames"][1]["file_path"] = "../private/secret.png"
    folder = write(tmp_path / "scene", values)
    parsed = FolderDataset(str(folder), outside=True).parsed
    before = set(tmp_path.rglob("*"))
    convert_scene(parsed, "nerfstudio", tmp_path / "made" / "scene")
    new = set(tmp_path.rglob("*")) - before
    assert all(path.is_relative_to(tmp_path / "made") for path in new)
    written = json.loads((tmp_path / "made" / "scene" / "transforms.json").read_text())
    assert all(".." not in frame["file_path"] for frame in written["frames"])
