"""Tanks and Temples, made up: cameras against the trajectory, region, files, what is refused."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmark_scenes import write_tanks_and_temples
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.transform import Rotation
from small_scenes import small_scene

from nerfloss.data.errors import DataError
from nerfloss.data.formats import tanks_and_temples
from nerfloss.data.formats.crop_volume import read_crop_corners, read_similarity
from nerfloss.data.formats.detection import detect_layout
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.formats.parsed_scene import ParsedScene, ParseSettings
from nerfloss.data.formats.trajectory_log import read_trajectory
from nerfloss.data.scene import Scene

SETTINGS = ParseSettings()
ENTRY = ["0", "0", "0", *np.eye(4).ravel().astype(int).astype(str)]  # of a trajectory
SCENE = small_scene(views=4)
POINTS = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3))


def similarity() -> np.ndarray:
    """From the scene to the scanner: twice as large, turned about y, moved."""
    matrix = np.eye(4)
    matrix[:3, :3] = 2 * np.array([[0.6, 0, 0.8], [0, 1, 0], [-0.8, 0, 0.6]])
    matrix[:3, 3] = (5.0, -7.0, 11.0)
    return matrix


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tanks_and_temples(tmp_path / "Barn", SCENE, similarity())


def poses_in(path: Path) -> list[np.ndarray]:
    """The camera-to-world matrices of a trajectory, five lines each."""
    lines = path.read_text().splitlines()
    return [np.loadtxt(lines[start + 1 : start + 5]) for start in range(0, len(lines), 5)]


def seen(scene: Scene, view: int) -> np.ndarray:
    to_scene = np.linalg.inv(scene.to_world)
    points = torch.from_numpy(POINTS @ to_scene[:3, :3].T + to_scene[:3, 3])
    cameras = scene.train.cameras
    return cameras.project(points.to(cameras.poses.dtype), view)[0].numpy()


def test_points_are_seen_where_the_trajectory_puts_them(folder: Path) -> None:
    assert detect_layout(folder) == "tanks_and_temples"
    scene = FolderDataset(str(folder), hold_out=["000004"]).load()
    width, height = scene.train.cameras.size(0)
    for view, pose in enumerate(poses_in(folder / "Barn_COLMAP_SfM.log")[:3]):
        local = np.column_stack([POINTS, np.ones(50)]) @ np.linalg.inv(pose).T
        expected = 0.7 * width * local[:, :2] / local[:, 2:3] + (width / 2, height / 2)
        np.testing.assert_allclose(seen(scene, view), expected, atol=1e-3)


def test_the_assumed_focal_length_is_said(folder: Path) -> None:
    parsed = tanks_and_temples.parse(folder, SETTINGS)
    assert parsed.frames[0].camera.params == (0.7 * 24, 12.0, 12.0)
    assert any("taken as 0.7 of the width" in note for note in parsed.notes)


def test_the_region_is_the_ball_about_the_crop_volume(folder: Path) -> None:
    parsed = tanks_and_temples.parse(folder, SETTINGS)
    assert parsed.region is not None
    # The crop is a cube of side 2 about the scene's origin.
    np.testing.assert_allclose(parsed.region, np.diag([*[3**0.5] * 3, 1]), atol=1e-9)
    assert any("crop volume Barn.json" in note for note in parsed.notes)
    radius = tanks_and_temples.parse(folder, ParseSettings(scene_radius=3.0)).region
    np.testing.assert_array_equal(radius, np.diag([3.0, 3, 3, 1]))


def test_the_files_of_the_evaluation(folder: Path) -> None:
    reference = FolderDataset(str(folder), hold_out=["000004"]).load().reference
    assert reference is not None
    assert reference.points == folder / "Barn.ply"
    assert reference.crop == folder / "Barn.json"
    assert reference.alignment == folder / "Barn_trans.txt"
    assert reference.trajectory == folder / "Barn_COLMAP_SfM.log"
    np.testing.assert_allclose(np.asarray(reference.to_reference), similarity())


def test_images_alone_with_a_trajectory_are_enough(folder: Path) -> None:
    for ending in (".ply", ".json", "_trans.txt"):
        (folder / f"Barn{ending}").unlink()
    for path in list((folder / "images").iterdir()):
        path.rename(folder / path.name)
    (folder / "images").rmdir()
    parsed = tanks_and_temples.parse(folder, SETTINGS)
    assert len(parsed.frames) == 4
    assert parsed.region is None
    assert parsed.reference is not None
    assert parsed.reference.to_reference is None


def model_text(folder: Path, scale: float = 1.0) -> Path:
    """Add a COLMAP model in text, with another focal length, in units of 1 / ``scale``."""
    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    (model / "cameras.txt").write_text("1 PINHOLE 24 24 34.5 35.5 11.5 12.5\n")
    lines = []
    for index, pose in enumerate(poses_in(folder / "Barn_COLMAP_SfM.log")):
        to_camera = np.linalg.inv(pose)
        to_camera[:3, 3] *= scale
        x, y, z, w = Rotation.from_matrix(to_camera[:3, :3]).as_quat()
        values = [w, x, y, z, *to_camera[:3, 3]]
        numbers = " ".join(f"{value:.15g}" for value in values)
        lines += [f"{index + 1} {numbers} 1 {index + 1:06d}.png", ""]
    (model / "images.txt").write_text("\n".join(lines) + "\n")
    (model / "points3D.txt").write_text("")
    return folder


def test_a_colmap_model_gives_the_intrinsics(folder: Path) -> None:
    model_text(folder)
    assert detect_layout(folder) == "tanks_and_temples"
    scene = FolderDataset(str(folder), hold_out=["000004"]).load()
    assert scene.reference is not None
    np.testing.assert_allclose(np.asarray(scene.reference.to_reference), similarity())
    for view, pose in enumerate(poses_in(folder / "Barn_COLMAP_SfM.log")[:3]):
        local = np.column_stack([POINTS, np.ones(50)]) @ np.linalg.inv(pose).T
        expected = local[:, :2] / local[:, 2:3] * (34.5, 35.5) + (11.5, 12.5)
        np.testing.assert_allclose(seen(scene, view), expected, atol=1e-3)


def test_the_alignment_is_not_used_for_other_coordinates(folder: Path) -> None:
    parsed = tanks_and_temples.parse(model_text(folder, scale=1.5), SETTINGS)
    assert_without_alignment(parsed, "other coordinates")


def test_the_alignment_is_not_used_for_a_trajectory_of_other_images(folder: Path) -> None:
    Image.new("RGB", (24, 24)).save(model_text(folder) / "images" / "000000.png")
    parsed = tanks_and_temples.parse(folder, SETTINGS)
    assert_without_alignment(parsed, "of other images")


def assert_without_alignment(parsed: ParsedScene, said: str) -> None:
    assert parsed.region is None
    assert parsed.reference is not None
    assert parsed.reference.to_reference is None
    assert any(said in note for note in parsed.notes)


def test_images_that_are_not_registered_are_named_or_left_out(folder: Path) -> None:
    path = folder / "Barn_COLMAP_SfM.log"
    path.write_text(path.read_text().replace("1 1 0\n", "1 -1 0\n"))
    with pytest.raises(DataError, match=r"1 of 4 images have no pose: 000002\.png"):
        tanks_and_temples.parse(folder, SETTINGS)
    parsed = tanks_and_temples.parse(folder, ParseSettings(missing="skip"))
    assert [frame.name for frame in parsed.frames] == ["000001", "000003", "000004"]
    np.testing.assert_allclose(parsed.frames[1].pose, poses_in(path)[2][:3])


def test_another_number_of_images_is_refused(folder: Path) -> None:
    (folder / "images" / "000002.png").unlink()
    with pytest.raises(DataError, match=r"poses of 4 images, but .*images has 3"):
        tanks_and_temples.parse(folder, SETTINGS)


def test_without_a_trajectory_a_model_is_needed(folder: Path) -> None:
    (folder / "Barn_COLMAP_SfM.log").rename(folder.parent / "log")
    assert detect_layout(folder) == "tanks_and_temples"
    with pytest.raises(DataError, match=r"no COLMAP model, and no Barn_COLMAP_SfM\.log"):
        tanks_and_temples.parse(folder, SETTINGS)
    (folder.parent / "log").rename(folder / "Barn_COLMAP_SfM.log")
    model_text(folder)
    (folder / "Barn_COLMAP_SfM.log").unlink()
    parsed = tanks_and_temples.parse(folder, SETTINGS)
    assert any(
        "Barn_trans.txt is taken to hold for the COLMAP model" in note for note in parsed.notes
    )


def test_files_of_two_scenes_are_refused_unless_the_folder_says_which(folder: Path) -> None:
    (folder / "Ignatius_COLMAP_SfM.log").touch()
    assert len(tanks_and_temples.parse(folder, SETTINGS).frames) == 4
    other = folder.rename(folder.with_name("data"))
    with pytest.raises(DataError, match="several scenes: Barn, Ignatius"):
        tanks_and_temples.parse(other, SETTINGS)


BROKEN = {
    "bounding_polygon": [[0, 0, 0]],
    "axis_max": -1e9,
    "axis_min": float("nan"),
    "orthogonal_axis": "W",
}


@pytest.mark.parametrize("key", BROKEN)
def test_a_crop_volume_that_is_none_is_refused(folder: Path, key: str) -> None:
    path = folder / "Barn.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: BROKEN[key]}))
    with pytest.raises(DataError, match=rf"Barn\.json.*{key}"):
        tanks_and_temples.parse(folder, SETTINGS)


def test_an_alignment_with_shear_is_refused(folder: Path) -> None:
    np.savetxt(folder / "Barn_trans.txt", np.diag([1.0, 2, 1, 1]))
    with pytest.raises(DataError, match=r"Barn_trans\.txt.*uniform scale"):
        tanks_and_temples.parse(folder, SETTINGS)


@settings(max_examples=150, deadline=None)
@given(
    word=st.integers(0, 37),
    value=st.one_of(st.sampled_from(["nan", "inf", "1e308", "-1", "0", "x", ""]), st.text()),
)
def test_a_damaged_trajectory_is_refused_or_is_one(tmp_path_factory, word, value) -> None:
    # Three numbers of each view, then the 16 of its pose.
    pose = "1 0 0 1 0 1 0 2 0 0 1 3 0 0 0 1"
    words = f"0 0 0 {pose} 1 1 0 {pose}".split()
    words[word] = value
    path = tmp_path_factory.mktemp("log") / "a_COLMAP_SfM.log"
    path.write_text(" ".join(words), encoding="utf-8", errors="replace")
    with contextlib.suppress(DataError):
        for entry in read_trajectory(path):
            assert entry.pose is None or np.isfinite(entry.pose).all()


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=200))
def test_random_bytes_are_refused(tmp_path_factory, content) -> None:
    path = tmp_path_factory.mktemp("bytes") / "file"
    path.write_bytes(content)
    for read in (read_trajectory, read_similarity, read_crop_corners):
        with pytest.raises(DataError):
            read(path)


@settings(max_examples=150, deadline=None)
@given(
    key=st.sampled_from([*BROKEN, "class_name"]),
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner),
        max_leaves=12,
    ),
)
def test_a_mutated_crop_volume_is_refused_or_is_one(tmp_path_factory, key, value) -> None:
    crop = {
        "orthogonal_axis": "Y", "axis_min": -1, "axis_max": 1, "class_name": "",
        "bounding_polygon": [[0, 0, 0], [1, 0, 0], [0, 0, 1]],
    }  # fmt: skip
    path = tmp_path_factory.mktemp("crop") / "a.json"
    path.write_text(json.dumps({**crop, key: value}))
    with contextlib.suppress(DataError):
        assert np.isfinite(read_crop_corners(path)).all()
