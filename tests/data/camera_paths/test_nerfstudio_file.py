"""A camera path as the viewer of nerfstudio (1.1) writes it, key by key.

Its panel makes int(fps * seconds) frames, states camera types in lower case, leaves the aspect of a
keyframe as that of the browser's window, writes transitions that are not overridden as null, and
adds a crop and times only where these are on.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from nerfloss.data.camera_paths.look_at import look_at
from nerfloss.data.camera_paths.path_file import read_path, write_path

FPS, SECONDS, WIDTH, HEIGHT = 24, 3.3, 1920, 1080


def pose(turn: float) -> tuple[list[float], np.ndarray]:
    """A camera at a turn around the origin: the file's flat row, and the matrix in OpenCV axes."""
    center = np.array([2 * math.cos(turn), 2 * math.sin(turn), 0.5])
    matrix = np.eye(4)
    matrix[:3] = look_at(center[None], np.zeros((1, 3)), np.array([0.0, 0, 1]))[0]
    flipped = matrix.copy()
    # The viewer turns its cameras (y down, z forward) by 180 degrees about their x axis.
    flipped[:3, :3] = matrix[:3, :3] @ Rotation.from_euler("x", math.pi).as_matrix()
    return flipped.reshape(-1).tolist(), matrix[:3]


def content(**changes: Any) -> dict[str, Any]:
    frames = int(FPS * SECONDS)
    turns = [2 * math.pi * frame / frames for frame in range(frames)]
    keyframe = {"aspect": 1.4857, "override_transition_enabled": False,
                "override_transition_sec": None}  # fmt: skip
    return {
        "default_fov": 75.0,
        "default_transition_sec": 1.1,
        "keyframes": [
            {"matrix": pose(turn)[0], "fov": fov, **keyframe}
            for turn, fov in ((0.0, 75.0), (2.0, 40.00000000000001), (4.0, 75.0))
        ],
        "camera_type": "perspective",
        "render_height": HEIGHT,
        "render_width": WIDTH,
        "fps": FPS,
        "seconds": SECONDS,
        "is_cycle": True,
        "smoothness_value": 0.0,
        "camera_path": [
            {"camera_to_world": pose(turn)[0], "fov": 75.0 - turn, "aspect": WIDTH / HEIGHT}
            for turn in turns
        ],
        **changes,
    }


def written(folder: Path, values: dict[str, Any]) -> Path:
    path = folder / "2024-05-01-12-00-00.json"
    path.write_text(json.dumps(values))
    return path


def test_a_file_of_the_viewer_is_read_without_a_word(tmp_path: Path) -> None:
    path = read_path(written(tmp_path, content()))
    assert path.notes == ()
    assert len(path) == 79
    assert (path.width, path.height, path.fps, path.closed) == (WIDTH, HEIGHT, FPS, True)
    assert path.camera_type == "perspective"
    expected = np.stack([pose(2 * math.pi * frame / 79)[1] for frame in range(79)])
    np.testing.assert_allclose(path.poses, expected, atol=1e-12)
    assert path.fov[0] == 75
    # The field of view is the vertical one, whatever the aspect.
    assert path.camera(0).fy == pytest.approx(0.5 * HEIGHT / math.tan(math.radians(37.5)))
    assert path.camera(0).fx == path.camera(0).fy


def test_a_crop_and_times_of_the_viewer_are_named(tmp_path: Path) -> None:
    crop = {
        "crop_center": [0.0, 0.0, 0.0],
        "crop_scale": [2.0, 2.0, 2.0],
        "crop_rot": [0.0, 0.0, 0.0],
        "crop_bg_color": {"r": 38, "g": 42, "b": 55},
    }
    values = content(crop=crop, default_time=0.0)
    for frame in values["camera_path"]:
        frame["render_time"] = 0.25
    for keyframe in values["keyframes"]:
        keyframe |= {"render_time": 0.0, "override_time_enabled": False}
    notes = read_path(written(tmp_path, values)).notes
    assert len(notes) == 2
    assert "crop of the path is not applied" in notes[0]
    assert "render_time of the path has no effect" in notes[1]


@pytest.mark.parametrize("kind", ["fisheye", "equirectangular"])
def test_other_cameras_of_the_viewer_are_read(tmp_path: Path, kind: str) -> None:
    path = read_path(written(tmp_path, content(camera_type=kind)))
    assert path.camera_type == kind
    assert path.notes == ()


def test_a_path_that_we_write_has_what_the_viewer_loads(tmp_path: Path) -> None:
    """Its panel reads default_fov, default_transition_sec, and of keyframes what is below."""
    path = read_path(written(tmp_path, content()))
    write_path(tmp_path / "ours.json", path)
    stored = json.loads((tmp_path / "ours.json").read_text())
    assert {*content()} <= {*stored}
    for keyframe in stored["keyframes"]:
        assert len(keyframe["matrix"]) == 16
        assert {"fov", "aspect"} <= {*keyframe}
    np.testing.assert_allclose(read_path(tmp_path / "ours.json").poses, path.poses, atol=1e-12)
