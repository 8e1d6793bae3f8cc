"""Key frames become paths that nerfloss render reads."""

from pathlib import Path

import numpy as np
import pytest

from nerfloss.assembly.viewer.key_frames import KeyFrames, path_file, save_path
from nerfloss.assembly.viewer.progressive_rendering import ViewPoint
from nerfloss.data.camera_paths.look_at import look_at
from nerfloss.data.camera_paths.path_file import read_path


def keys() -> KeyFrames:
    places = np.array([[3.0, 0, 0], [0, 3, 0], [-3, 0, 1]])
    poses = look_at(places, np.zeros((3, 3)), np.array([0.0, 0, 1]))
    return KeyFrames(
        [ViewPoint(pose, fov, 1.5) for pose, fov in zip(poses, (40.0, 50.0, 60.0), strict=True)]
    )


def test_the_path_begins_and_ends_at_key_frames_and_passes_the_others() -> None:
    made = keys()
    path = made.path((96, 64), 3.0)
    assert len(path) == 90
    np.testing.assert_allclose(path.poses[0], made.views[0].pose, atol=1e-9)
    np.testing.assert_allclose(path.poses[-1], made.views[-1].pose, atol=1e-9)
    distance = np.linalg.norm(path.poses[:, :, 3] - made.views[1].pose[:, 3], axis=1)
    assert distance.min() < 0.1
    assert (path.fov[0], path.fov[-1]) == (40, 60)


def test_a_saved_path_is_read_back_in_the_coordinates_of_the_files(tmp_path: Path) -> None:
    to_files = np.diag([2.0, 2, 2, 1])
    to_files[:3, 3] = [1, 2, 3]
    path = keys().path((96, 64), 1.0)
    read = read_path(save_path(tmp_path, "round_the-ball1", path, to_files))
    assert (read.width, read.height, read.fps) == (96, 64, 30)
    expected = path.mapped(to_files)
    np.testing.assert_allclose(read.poses, expected.poses, atol=1e-6)
    np.testing.assert_allclose(read.fov, expected.fov)


@pytest.mark.parametrize("name", ["", "../x", "/etc/x", "a/b", "a\\b", ".hidden", "a b", "x" * 65])
def test_a_name_from_a_browser_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a path"):
        path_file(tmp_path, name)


def test_too_few_key_frames_and_impossible_durations_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 key frames, got 0"):
        KeyFrames().path((8, 8), 1.0)
    with pytest.raises(ValueError, match="up to 600 seconds, got 0"):
        keys().path((8, 8), 0.0)
