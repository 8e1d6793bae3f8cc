"""A parsed scene survives a round trip through transforms.json, whatever its lens."""

from dataclasses import replace

import numpy as np
import pytest
from transforms_scenes import content, write

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.formats import nerfstudio
from nerfloss.data.formats.parsed_scene import DepthConvention, ParsedPoints, ParseSettings
from nerfloss.data.formats.transforms_writer import write_transforms

SETTINGS = ParseSettings()
LENSES = {
    "SIMPLE_PINHOLE": (9, 4, 3),
    "PINHOLE": (9, 8, 4, 3),
    "SIMPLE_RADIAL": (9, 4, 3, 0.1),
    "RADIAL": (9, 4, 3, 0.1, -0.02),
    "OPENCV": (9, 8, 4, 3, 0.1, -0.02, 0.003, 0.004),
    "FULL_OPENCV": (9, 8, 4, 3, 0.1, -0.02, 0.003, 0.004, 0.01, 0.02, 0.03, 0.04),
    "OPENCV_FISHEYE": (9, 8, 4, 3, 0.1, -0.02, 0.03, 0.04),
    "SIMPLE_RADIAL_FISHEYE": (9, 4, 3, 0.1),
    "RADIAL_FISHEYE": (9, 4, 3, 0.1, -0.02),
    "THIN_PRISM_FISHEYE": (9, 8, 4, 3, 0.1, -0.02, 0.003, 0.004, 0.01, 0.02, 0.03, 0.04),
}


@pytest.fixture
def scene(tmp_path):
    return nerfstudio.parse(write(tmp_path / "scene", content()), SETTINGS)


@pytest.mark.parametrize("model", LENSES)
def test_cameras_and_poses_survive(scene, tmp_path, model):
    camera = Camera(model, 8, 6, tuple(float(each) for each in LENSES[model]))
    lensed = replace(scene, frames=tuple(replace(f, camera=camera) for f in scene.frames))
    write_transforms(lensed, tmp_path / "written")
    read = nerfstudio.parse(tmp_path / "written", SETTINGS)
    assert [frame.name for frame in read.frames] == [frame.name for frame in scene.frames]
    for ours, theirs in zip(lensed.frames, read.frames, strict=True):
        assert theirs.camera.row == pytest.approx(ours.camera.row)
        np.testing.assert_allclose(theirs.pose, ours.pose, atol=1e-12)


def test_a_sphere_survives(scene, tmp_path):
    camera = Camera("EQUIRECTANGULAR", 8, 4)
    lensed = replace(scene, frames=tuple(replace(f, camera=camera) for f in scene.frames))
    write_transforms(lensed, tmp_path / "written")
    assert nerfstudio.parse(tmp_path / "written", SETTINGS).frames[0].camera == camera


def test_cameras_of_several_kinds_survive(scene, tmp_path):
    models = ["OPENCV", "OPENCV_FISHEYE", "PINHOLE", "FULL_OPENCV"]
    cameras = [Camera(model, 8, 6, tuple(map(float, LENSES[model]))) for model in models]
    frames = tuple(replace(f, camera=c) for f, c in zip(scene.frames, cameras, strict=True))
    write_transforms(replace(scene, frames=frames), tmp_path / "written")
    read = nerfstudio.parse(tmp_path / "written", SETTINGS)
    assert [frame.camera.row for frame in read.frames] == [camera.row for camera in cameras]


def test_splits_points_depth_and_coordinates_survive(scene, tmp_path):
    to_files = np.diag([2.0, 2.0, 2.0, 1.0])
    to_files[:3, :3] = to_files[:3, :3][[1, 2, 0]]
    to_files[:3, 3] = 5, 6, 7
    points = ParsedPoints(
        np.random.default_rng(0).uniform(-1, 1, (50, 3)), colors=np.tile([[0.2, 0.4, 1.0]], (50, 1))
    )
    depth = DepthConvention(0.25)
    whole = replace(scene, test=(1, 3), points=points, to_files=to_files, depth=depth)
    write_transforms(whole, tmp_path / "written")
    read = nerfstudio.parse(tmp_path / "written", SETTINGS)
    assert read.test == (1, 3)
    assert read.depth.unit == pytest.approx(0.25)
    np.testing.assert_allclose(read.to_files, to_files, atol=1e-9)
    np.testing.assert_allclose(read.points.positions, points.positions, atol=1e-5)
    np.testing.assert_allclose(read.points.colors, points.colors, atol=1e-6)


def test_equal_names_of_two_splits_get_folders(scene, tmp_path):
    frames = tuple(replace(frame, name=f"r_{i % 2}") for i, frame in enumerate(scene.frames))
    write_transforms(replace(scene, frames=frames, test=(2, 3)), tmp_path / "written")
    read = nerfstudio.parse(tmp_path / "written", SETTINGS)
    assert {read.frames[i].name for i in read.test} == {"test/r_0", "test/r_1"}
