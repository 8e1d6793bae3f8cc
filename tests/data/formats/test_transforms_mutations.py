"""Damaged transforms files raise DataError, and never change a camera in silence."""

import copy
import json
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transforms_scenes import content, poses, write

from nerfloss.data.errors import DataError
from nerfloss.data.formats import blender_layout, nerfstudio
from nerfloss.data.formats.parsed_scene import ParseSettings

SETTINGS = ParseSettings()
RICH = content(
    k1=0.01,
    k2=0.0,
    p1=0.0,
    p2=0.0,
    camera_model="OPENCV",
    camera_angle_x=0.8365,
    applied_transform=np.eye(4)[:3].tolist(),
    applied_scale=1.0,
    train_filenames=["images/0.png", "images/1.png", "images/2.png"],
    test_filenames=["images/3.png"],
    depth_unit_scale_factor=0.001,
    up=[0, 0, 1],
)
WRONG = st.one_of(
    st.sampled_from([None, True, "", "text", [], {}, [[]], "\0", "\ud800", "9" * 400]),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e300, -1e300, 10**400, -1, 0]),
)
BATTERY = settings(
    max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("scene"), RICH)


def read(folder, text: bytes):
    """Return the scenes of the text in both layouts; None where it is refused."""
    scenes = []
    for reader, name in (
        (nerfstudio, "transforms.json"),
        (blender_layout, "transforms_train.json"),
    ):
        (folder / name).write_bytes(text)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                scenes.append(reader.parse(folder, SETTINGS))
        except DataError:
            scenes.append(None)
    return scenes


def places(value, path=()):
    """Return the paths of all values inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, each in items:
        found.append((*path, key))
        if isinstance(each, dict | list):
            found += places(each, (*path, key))
    return found


def parent(value, path):
    for key in path[:-1]:
        value = value[key]
    return value


@BATTERY
@given(where=st.sampled_from(places(RICH)), wrong=WRONG)
def test_a_replaced_value_is_refused_or_changes_no_camera(folder, where, wrong):
    values = copy.deepcopy(RICH)
    parent(values, where)[where[-1]] = wrong
    (before, _), scenes = read(folder, json.dumps(RICH).encode()), []
    scenes = read(folder, json.dumps(values).encode())
    # 0 is a sound coefficient, coordinate or entry of a matrix, and -1 nearly so.
    sound = wrong in (0, -1) and not isinstance(wrong, bool)
    names = {frame.name: frame for frame in before.frames}
    for scene in scenes:
        for frame in scene.frames if scene is not None and not sound else ():
            assert frame.camera == names[frame.name].camera
            np.testing.assert_array_equal(frame.pose, names[frame.name].pose)


@BATTERY
@given(where=st.sampled_from(places(RICH)))
def test_a_dropped_key_is_refused_or_read(folder, where):
    values = copy.deepcopy(RICH)
    del parent(values, where)[where[-1]]
    read(folder, json.dumps(values).encode())


@BATTERY
@given(cut=st.integers(0, 2000), noise=st.binary(max_size=6))
def test_damaged_text_is_refused_or_read(folder, cut, noise):
    text = json.dumps(RICH).encode()
    read(folder, text[:cut] + noise + text[cut + len(noise) :])
    read(folder, text[:cut])


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{}", b"[" * 100_000, b"\xff\xfe{"])
def test_what_is_no_transforms_file_is_refused(folder, text):
    assert read(folder, text) == [None, None]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_other_encodings_are_read(folder, encoding):
    assert None not in read(folder, json.dumps(RICH).encode(encoding))


def refused(tmp_path, match, **shared):
    with pytest.raises(DataError, match=match):
        nerfstudio.parse(write(tmp_path, content(**shared)), SETTINGS)


@pytest.mark.parametrize(
    ("shared", "match"),
    [
        ({"camera_model": "FISHEYE624"}, "FISHEYE624"),
        ({"camera_model": "VR180_L"}, "VR180_L"),
        ({"camera_model": "PINHOLE", "k1": -0.1}, "k1=-0.1"),
        ({"camera_model": "OPENCV", "is_fisheye": True}, "is_fisheye"),
        ({"k4": 0.1}, "k4=0.1"),
        ({"camera_angle_x": 0.1}, "camera_angle_x means"),
        ({"cx": 0.5, "w": 800, "h": 600, "fl_x": 700, "fl_y": 700}, "cx=0.5"),
        ({"fl_y": -8.0}, "fl_y=-8"),
        ({"ftheta_p0": 0.1}, "f-theta"),
        ({"test_filenames": ["images/9.png"]}, "images/9.png"),
        ({"applied_transform": np.diag([1.0, 1, -1, 1]).tolist()}, "reflection"),
        ({"applied_scale": 0}, "applied_scale"),
    ],
)
def test_contradictions_are_refused_by_name(tmp_path, shared, match):
    refused(tmp_path, match, **shared)


def test_a_focal_length_wins_over_an_angle_and_is_said(tmp_path):
    scene = nerfstudio.parse(write(tmp_path, content(camera_angle_x=0.8)), SETTINGS)
    assert scene.frames[0].camera.fx == 9
    assert any("fl_x is used" in note for note in scene.notes)


def test_one_image_with_two_poses_is_refused(tmp_path):
    values = content()
    values["frames"][1]["file_path"] = "images/0"
    with pytest.raises(DataError, match="one image with two poses"):
        nerfstudio.parse(write(tmp_path, values), SETTINGS)


@pytest.mark.parametrize("matrix", [poses(1)[0].T + np.eye(4), np.diag([1.0, 1, -1, 1])])
def test_a_transposed_or_mirrored_pose_is_refused(tmp_path, matrix):
    values = content()
    values["frames"][2]["transform_matrix"] = matrix.tolist()
    with pytest.raises(DataError, match=r"images/2\.png"):
        nerfstudio.parse(write(tmp_path, values), SETTINGS)


@pytest.mark.parametrize(
    "written", ["/home/other/scene/images/{}.png", "images\\{}.png", "IMAGES/{}.PNG", "images/{}"]
)
def test_images_are_found_however_they_are_written(tmp_path, written):
    values = content()
    for index, frame in enumerate(values["frames"]):
        frame["file_path"] = written.format(index)
    scene = nerfstudio.parse(write(tmp_path, values), SETTINGS)
    assert [frame.name for frame in scene.frames] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("spelling", ["images/../images/0.png", "images/link.png"])
def test_one_image_with_two_poses_is_refused_by_any_path(tmp_path, spelling):
    values = content()
    values["frames"][1]["file_path"] = spelling
    write(tmp_path, values)
    (tmp_path / "images" / "link.png").symlink_to("0.png")
    with pytest.raises(DataError, match=r"images/0.png and .* are one image with two poses"):
        nerfstudio.parse(tmp_path, SETTINGS)


def test_one_image_with_two_cameras_is_refused(tmp_path):
    values = content()
    values["frames"].append({**values["frames"][0], "fl_x": 5.0})
    with pytest.raises(DataError, match="one image with two cameras; list each image once"):
        nerfstudio.parse(write(tmp_path, values), SETTINGS)


def test_composed_and_decomposed_accents_are_one_name(tmp_path):
    values = content()
    values["frames"][0]["file_path"] = "images/Gr\u00f6\u00dfe.png"
    write(tmp_path, values)
    (tmp_path / "images" / "0.png").rename(tmp_path / "images" / "Gro\u0308\u00dfe.png")
    frames = nerfstudio.parse(tmp_path, SETTINGS).frames
    assert "Gro\u0308\u00dfe.png" in [frame.image.name for frame in frames]
