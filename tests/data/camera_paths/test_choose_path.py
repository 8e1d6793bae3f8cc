"""The path that a user asks for, in a scene: its size, speed and notes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_scenes import small_scene, write_neus

from nerfloss.data.camera_paths.camera_path import CameraPath
from nerfloss.data.camera_paths.choose_path import PathSettings, choose_path
from nerfloss.data.camera_paths.path_file import write_path
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.scene import Scene

# From scene units to the data's: twice as large, turned by 90 degrees about z, moved.
TO_WORLD = np.array([[0.0, -2, 0, 5], [2, 0, 0, 6], [0, 0, 2, 7], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def scene() -> Scene:
    return small_scene("sphere", views=8, test_views=1, size=16)


@pytest.mark.parametrize("name", ["orbit", "spiral", "interpolate"])
def test_length_and_speed_are_those_asked_for(scene: Scene, name: str) -> None:
    path = choose_path(name, scene, PathSettings(seconds=1.5, fps=10.0))
    assert (len(path), path.fps, path.width, path.height) == (15, 10, 16, 16)
    assert len(choose_path(name, scene, PathSettings(frames=7))) == 7
    assert len(choose_path(name, scene, PathSettings())) == 120


def test_the_field_of_view_is_that_of_training_and_a_size_scales_it(scene: Scene) -> None:
    path = choose_path("orbit", scene, PathSettings(frames=2, size=(64, 32)))
    camera, own = path.camera(0), scene.train.cameras
    assert (camera.width, camera.height) == (64, 32)
    assert camera.fy == pytest.approx(2 * float(own.intrinsics[0, 1, 1]), rel=1e-5)


def test_large_images_are_rendered_smaller_and_it_is_said(scene: Scene) -> None:
    cameras = replace(scene.train.cameras, width=4000, height=3000)
    cameras = replace(cameras, intrinsics=cameras.intrinsics * 250)
    large = replace(scene, train=replace(scene.train, cameras=cameras))
    path = choose_path("orbit", large, PathSettings(frames=2))
    assert (path.width, path.height) == (800, 600)
    assert any("frames of 800 x 600" in note for note in path.notes)
    path = choose_path("orbit", large, PathSettings(frames=2, size=400))
    assert (path.width, path.height) == (400, 300)


def test_a_wide_field_of_view_is_limited_and_it_is_said(scene: Scene) -> None:
    cameras = replace(scene.train.cameras, intrinsics=scene.train.cameras.intrinsics * 0.1)
    wide = replace(scene, train=replace(scene.train, cameras=cameras))
    path = choose_path("orbit", wide, PathSettings(frames=2))
    assert path.fov[0] == 90
    assert any("field of view 90 degrees" in note for note in path.notes)


def test_an_orbit_of_half_a_circle_says_what_no_camera_saw(scene: Scene) -> None:
    poses = scene.train.cameras.poses
    half = scene.train.some([i for i in range(len(poses)) if poses[i, 0, 3] > 0])
    notes = choose_path("orbit", replace(scene, train=half), PathSettings(frames=2)).notes
    assert any("of 360 degrees, the rest shows what none saw" in note for note in notes)


def test_an_interpolation_has_at_most_two_cameras_in_a_second(scene: Scene) -> None:
    path = choose_path("interpolate", scene, PathSettings(seconds=2.0))
    assert any("through 4 of 8 training cameras" in note for note in path.notes)
    assert any("--seconds 4 leads to the last one" in note for note in path.notes)
    assert "leads to" not in " ".join(
        choose_path("interpolate", scene, PathSettings(seconds=4.0)).notes
    )


def test_an_interpolation_of_few_cameras_far_apart_is_suspicious(scene: Scene) -> None:
    notes = choose_path("interpolate", scene, PathSettings(seconds=4.0)).notes
    assert any("degrees apart: it may lead through the object" in note for note in notes)


def test_a_short_interpolation_of_many_cameras_stays_away_from_the_object() -> None:
    many = small_scene("sphere", views=60, test_views=1, size=8)
    path = choose_path("interpolate", many, PathSettings(frames=6))
    (said,) = (note for note in path.notes if "leads to the last one" in note)
    seconds = float(said.partition("--seconds ")[2].split()[0])
    whole = choose_path("interpolate", many, PathSettings(seconds=seconds))
    assert "leads to the last one" not in " ".join(whole.notes)
    distance = float(many.train.cameras.poses[:, :, 3].norm(dim=1).mean())
    assert np.linalg.norm(path.poses[:, :, 3], axis=1).min() > 0.9 * distance
    towards = -path.poses[:, :, 3] / np.linalg.norm(path.poses[:, :, 3], axis=1, keepdims=True)
    assert ((towards * path.poses[:, :, 2]).sum(1) > 0.98).all()


def test_a_spiral_around_an_object_says_where_it_is(scene: Scene) -> None:
    path = choose_path("spiral", scene, PathSettings(frames=9))
    assert any("do not face one way" in note for note in path.notes)


def test_a_file_has_the_coordinates_of_the_data(scene: Scene, tmp_path: Path) -> None:
    moved, file = replace(scene, to_world=TO_WORLD), tmp_path / "path.json"
    path = choose_path("orbit", scene, PathSettings(frames=6))
    write_path(file, path.mapped(TO_WORLD))
    back = choose_path(str(file), moved, PathSettings(size=32, fps=5.0))
    np.testing.assert_allclose(back.poses, path.poses, atol=1e-9)
    assert (back.width, back.height, back.fps) == (32, 32, 5)
    # The same path in the coordinates of a run of nerfstudio.
    to_nerfstudio = np.array([[0.0, 0, 0.5, 1], [0.5, 0, 0, 2], [0, 0.5, 0, 3], [0, 0, 0, 1]])
    write_path(file, path.mapped(to_nerfstudio @ TO_WORLD))
    transform = to_nerfstudio[:3] / 0.5
    other = tmp_path / "dataparser_transforms.json"
    other.write_text(json.dumps({"transform": transform.tolist(), "scale": 0.5}))
    back = choose_path(str(file), moved, PathSettings(dataparser=other))
    np.testing.assert_allclose(back.poses, path.poses, atol=1e-9)


def test_a_path_far_from_the_scene_is_suspicious(scene: Scene, tmp_path: Path) -> None:
    path = choose_path("orbit", scene, PathSettings(frames=3))
    far = np.diag([100.0, 100, 100, 1])
    write_path(tmp_path / "path.json", path.mapped(far))
    found = choose_path(str(tmp_path / "path.json"), scene, PathSettings())
    assert any("are its coordinates those of the data?" in note for note in found.notes)


def test_lengths_of_a_file_are_its_own(scene: Scene, tmp_path: Path) -> None:
    poses = np.stack([np.eye(3, 4)] * 2)
    write_path(tmp_path / "path.json", CameraPath(poses, np.array([50.0, 50]), 8, 8, 5.0))
    with pytest.raises(ValueError, match="has 2 frames of its own"):
        choose_path(str(tmp_path / "path.json"), scene, PathSettings(seconds=1.0))


def test_an_orbit_is_around_up_of_a_scene_whose_axes_are_those_of_its_files(tmp_path) -> None:
    """The layout states the region, so its axes stay: up is not z there."""
    turn = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # z becomes -y
    made = small_scene("sphere", views=8, test_views=1, size=16)
    views = [
        replace(each, cameras=replace(each.cameras, poses=turn @ each.cameras.poses))
        for each in (made.train, made.test)
    ]
    write_neus(tmp_path / "scene", replace(made, train=views[0], test=views[1]))
    scene = FolderDataset(path=str(tmp_path / "scene")).load()
    expected = turn.double().numpy() @ [0, 0, 1.0]
    np.testing.assert_allclose(scene.up, expected, atol=0.02)
    at = choose_path("orbit", scene, PathSettings(frames=8)).poses[:, :, 3]
    assert np.ptp(at @ scene.up) < 1e-6


def test_a_single_frame_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        PathSettings(frames=1)
