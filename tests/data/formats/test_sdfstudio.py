"""SDFStudio's meta_data.json: cameras, maps, region, original coordinates, and damage."""

import copy
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transforms_scenes import poses, write

from nerfloss.data.errors import DataError
from nerfloss.data.formats import sdfstudio
from nerfloss.data.formats.parsed_scene import ParseSettings

SETTINGS = ParseSettings()
INTRINSICS = [[9.0, 0, 4.5, 0], [0, 8.0, 2.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
META = {
    "camera_model": "OPENCV",
    "width": 8,
    "height": 6,
    "has_mono_prior": True,
    "worldtogt": np.diag([2.0, 2, 2, 1]).tolist(),
    "scene_box": {"aabb": [[-1, -1, -1], [1, 1, 1]], "near": 0.5, "far": 4.5},
    "frames": [
        {
            "rgb_path": f"images/{index}.png",
            "camtoworld": pose.tolist(),
            "intrinsics": INTRINSICS,
            "mono_depth_path": f"{index}_depth.npy",
            "mono_normal_path": f"{index}_normal.npy",
        }
        for index, pose in enumerate(poses(4))
    ],
}
PLACES = ["width", "height", "worldtogt", "scene_box", "frames"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("scene"), META, "meta_data.json")
    for index in range(4):
        np.save(folder / f"{index}_normal.npy", np.zeros((3, 6, 8), np.float32))
        np.save(folder / f"{index}_depth.npy", np.full((6, 8), 0.5, np.float32))
    return folder


def test_a_scene_is_read_as_it_is_described(folder):
    (folder / "meta_data.json").write_text(json.dumps(META))
    assert sdfstudio.detect(folder)
    scene = sdfstudio.parse(folder, SETTINGS)
    assert [frame.name for frame in scene.frames] == [f"images/{i}" for i in range(4)]
    np.testing.assert_allclose(scene.frames[1].pose, poses(4)[1][:3], atol=1e-12)
    assert scene.frames[0].camera.params == (9, 8, 4.5, 2.5)
    assert scene.frames[0].depth is None
    assert scene.frames[0].relative_depth == folder / "0_depth.npy"
    assert scene.frames[0].normal is not None
    assert scene.normal.frame == "camera"
    np.testing.assert_array_equal(scene.region, np.eye(4))
    np.testing.assert_array_equal(scene.to_files, np.diag([2.0, 2, 2, 1]))
    assert any("without a scale" in note for note in scene.notes)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    place=st.sampled_from([*PLACES, *META["frames"][0]]),
    wrong=st.sampled_from([None, True, "x", [], {}, [[]], 1e300, float("nan"), 10**400, "\0"]),
)
def test_a_replaced_value_is_refused_or_changes_no_camera(folder, place, wrong):
    values = copy.deepcopy(META)
    (values if place in PLACES else values["frames"][2])[place] = wrong
    (folder / "meta_data.json").write_text(json.dumps(values))
    try:
        scene = sdfstudio.parse(folder, SETTINGS)
    except DataError:
        return
    assert all(frame.camera.params == (9, 8, 4.5, 2.5) for frame in scene.frames)
