"""Camera paths as files of nerfstudio's viewer."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nerfloss.data.camera_paths.camera_path import CameraPath
from nerfloss.data.camera_paths.look_at import look_at
from nerfloss.data.camera_paths.path_file import (
    read_dataparser_transforms,
    read_path,
    write_path,
)
from nerfloss.data.errors import DataError

# A camera at (1, 2, 3) that looks along -z with y up: OpenGL's axes are those of the world.
POSE = [1, 0, 0, 1, 0, 1, 0, 2, 0, 0, 1, 3, 0, 0, 0, 1]


def content(**changes: Any) -> dict[str, Any]:
    """A path of two frames; None removes a key."""
    frame = {"camera_to_world": POSE, "fov": 60.0, "aspect": 2.0}
    whole = {
        "keyframes": [{"matrix": POSE, "fov": 60.0, "aspect": 2.0}],
        "camera_type": "perspective",
        "render_height": 100,
        "render_width": 200,
        "fps": 10,
        "seconds": 0.2,
        "is_cycle": False,
        "camera_path": [frame, dict(frame)],
    }
    return {key: value for key, value in {**whole, **changes}.items() if value is not None}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "path.json"
    path.write_text(json.dumps(content(**changes)))
    return path


def frame(**changes: Any) -> dict[str, Any]:
    whole = {"camera_to_world": POSE, "fov": 60.0, **changes}
    return {key: value for key, value in whole.items() if value is not None}


def test_a_path_of_nerfstudio_is_read(tmp_path: Path) -> None:
    path = read_path(written(tmp_path))
    assert (path.width, path.height, path.fps, len(path)) == (200, 100, 10, 2)
    np.testing.assert_array_equal(path.poses[0, :, 3], [1, 2, 3])
    np.testing.assert_array_equal(path.poses[0, :, :3], np.diag([1, -1, -1]))
    # fov is vertical: 60 degrees over 100 pixels.
    camera = path.camera(0)
    assert camera.fy == pytest.approx(50 / math.tan(math.radians(30)))
    assert camera.fx == camera.fy
    assert (camera.cx, camera.cy) == (100, 50)
    assert path.notes == ()


def test_a_written_path_reads_back_and_has_the_keys_of_nerfstudio(tmp_path: Path) -> None:
    centers = np.random.default_rng(0).normal(size=(30, 3))
    poses = look_at(centers, np.zeros_like(centers), np.array([0.0, 0, 1]))
    path = CameraPath(poses, np.linspace(40, 50, 30), 640, 480, 24.0, closed=True)
    write_path(tmp_path / "path.json", path)
    back = read_path(tmp_path / "path.json")
    np.testing.assert_allclose(back.poses, poses, atol=1e-12)
    np.testing.assert_allclose(back.fov, path.fov)
    assert (back.width, back.height, back.fps, back.closed) == (640, 480, 24, True)
    stored = json.loads((tmp_path / "path.json").read_text())
    assert {*content()} <= {*stored}
    assert stored["seconds"] == 30 / 24
    assert len(stored["camera_path"][0]["camera_to_world"]) == 16
    assert {"matrix", "fov", "aspect"} == {*stored["keyframes"][0]}


@pytest.mark.parametrize("kind", ["fisheye", "equirectangular"])
def test_other_cameras_of_nerfstudio_are_read(tmp_path: Path, kind: str) -> None:
    path = read_path(written(tmp_path, camera_type=kind))
    cameras = path.cameras()
    assert len(cameras) == 2
    assert cameras.lens is not None


BROKEN = {
    "no frames": ({"camera_path": None}, "no camera_path"),
    "no list": ({"camera_path": 3}, "camera_path is 3"),
    "empty": ({"camera_path": []}, "camera_path needs at least one entry"),
    "no width": ({"render_width": None}, "no render_width; add 'render_width'"),
    "half a pixel": ({"render_height": 10.5}, "render_height of the file is 10.5"),
    "no pose": (
        {"camera_path": [frame(camera_to_world=None)]},
        "frame 0 of camera_path has no camera_to_world",
    ),
    "short pose": ({"camera_path": [frame(camera_to_world=[1, 2])]}, "camera_to_world of frame 0"),
    "no number": (
        {"camera_path": [frame(), frame(camera_to_world=[*POSE[:3], "x", *POSE[4:]])]},
        "camera_to_world of frame 1",
    ),
    "column by column": (
        {"camera_path": [frame(camera_to_world=np.array(POSE).reshape(4, 4).T.ravel().tolist())]},
        "transpose the matrix",
    ),
    "no fov": ({"camera_path": [frame(fov=None)]}, "fov of frame 0 is null; give the vertical"),
    "wide fov": ({"camera_path": [frame(fov=200)]}, "fov of frame 0 is 200"),
    "other camera": ({"camera_type": "omnidirectional"}, "camera_type is 'omnidirectional'"),
    "no speed": ({"fps": 0}, "fps is 0"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused_with_its_key(tmp_path: Path, case: str) -> None:
    changes, message = BROKEN[case]
    with pytest.raises(DataError) as error:
        read_path(written(tmp_path, **changes))
    assert message in str(error.value)
    assert "path.json" in str(error.value)


def test_a_missing_file_and_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file; give a camera path"):
        read_path(tmp_path / "nothing.json")
    (tmp_path / "text.json").write_text("orbit")
    with pytest.raises(DataError, match="not JSON"):
        read_path(tmp_path / "text.json")


IGNORED = {
    "crop": ({"crop": {"crop_center": [0, 0, 0]}}, "crop of the path is not applied"),
    "time": ({"camera_path": [frame(render_time=0.5)]}, "render_time of the path has no effect"),
    "aspect": ({"camera_path": [frame(aspect=1.0)]}, "aspect differs"),
    "rate": ({"fps": None, "seconds": None}, "24 frames per second"),
    "length": ({"seconds": 5}, "the path has 2 frames, but fps * seconds is 50"),
}


@pytest.mark.parametrize("case", IGNORED)
def test_what_has_no_effect_is_said(tmp_path: Path, case: str) -> None:
    changes, message = IGNORED[case]
    notes = read_path(written(tmp_path, **changes)).notes
    assert any(message in note for note in notes)


def test_a_path_in_the_coordinates_of_a_run_of_nerfstudio_comes_back_to_the_data(
    tmp_path: Path,
) -> None:
    file = tmp_path / "dataparser_transforms.json"
    turn = [[0, -1, 0, 4], [1, 0, 0, 5], [0, 0, 1, 6]]
    file.write_text(json.dumps({"transform": turn, "scale": 0.5}))
    matrix = read_dataparser_transforms(file)
    point = np.array([1.0, 2, 3, 1])
    np.testing.assert_allclose((matrix @ point)[:3], 0.5 * (np.array(turn) @ point))
    path = read_path(written(tmp_path))
    there = path.mapped(matrix)
    np.testing.assert_allclose(there.poses[0, :, 3], 0.5 * (np.array(turn) @ point))
    np.testing.assert_allclose(np.linalg.det(there.poses[:, :, :3]), 1)
    back = there.mapped(np.linalg.inv(matrix))
    np.testing.assert_allclose(back.poses, path.poses, atol=1e-12)


@pytest.mark.parametrize("values", [{}, {"transform": np.eye(4).tolist(), "scale": 0}])
def test_broken_dataparser_transforms_are_refused(tmp_path: Path, values: dict) -> None:
    file = tmp_path / "dataparser_transforms.json"
    file.write_text(json.dumps(values))
    with pytest.raises(DataError, match=r"transform|scale"):
        read_dataparser_transforms(file)
