"""Scenes of BlendedMVS, made up: there is no real one here."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nerfloss.data.errors import DataError
from nerfloss.data.formats.blendedmvs import detect, parse
from nerfloss.data.formats.mvsnet_cameras import read_mvsnet_camera
from nerfloss.data.formats.parsed_scene import ParseSettings

INTRINSICS = np.array([[50.0, 0, 17.5], [0, 48.0, 11.5], [0, 0, 1]])


def to_camera(view):
    turn = np.radians(30 * view)
    matrix = np.eye(4)
    matrix[[0, 0, 2, 2], [0, 2, 0, 2]] = np.cos(turn), np.sin(turn), -np.sin(turn), np.cos(turn)
    matrix[:3, 3] = (0.1, 0.2, 5)
    return matrix


def text(view):
    def rows(matrix):
        return "\n".join(" ".join(map(str, row)) for row in matrix)

    return f"extrinsic\n{rows(to_camera(view))}\n\nintrinsic\n{rows(INTRINSICS)}\n\n2 0.1 128 9\n"


@pytest.fixture
def scene(tmp_path):
    for name in ("blended_images", "cams"):
        (tmp_path / name).mkdir()
    for view in range(3):
        for ending in ("", "_masked"):
            image = Image.new("RGB", (36, 24))
            image.save(tmp_path / "blended_images" / f"{view:08d}{ending}.jpg")
        (tmp_path / "cams" / f"{view:08d}_cam.txt").write_text(text(view))
    return tmp_path


def test_cameras_and_images_are_paired_by_name(scene):
    assert detect(scene)
    parsed = parse(scene, ParseSettings())
    assert [frame.name for frame in parsed.frames] == [f"{view:08d}" for view in range(3)]
    for view, frame in enumerate(parsed.frames):
        expected = np.linalg.inv(to_camera(view))[:3]
        np.testing.assert_allclose(frame.pose, expected, atol=1e-12)
        assert frame.camera.params == (50.0, 48.0, 18.0, 12.0)


def test_an_image_without_a_camera_is_named(scene):
    (scene / "cams" / "00000001_cam.txt").unlink()
    with pytest.raises(DataError, match=r"no camera for 1 of 3 images, first 00000001.jpg"):
        parse(scene, ParseSettings())
    assert len(parse(scene, ParseSettings(missing="skip")).frames) == 2


def test_cameras_for_larger_images_are_refused(scene):
    Image.new("RGB", (12, 8)).save(scene / "blended_images" / "00000000.jpg")
    with pytest.raises(DataError, match="outside of the image of 12 x 8 pixels"):
        parse(scene, ParseSettings())


@settings(max_examples=100, deadline=None)
@given(
    index=st.integers(0, 30),
    word=st.one_of(st.sampled_from(["nan", "inf", "1e308", "0", "-1", "text"]), st.text()),
)
def test_a_damaged_camera_is_refused_or_is_one(tmp_path_factory, index, word):
    words = text(1).split()
    words[min(index, len(words) - 1)] = word
    path = tmp_path_factory.mktemp("cams") / "cam.txt"
    path.write_text(" ".join(words), encoding="utf-8", errors="replace")
    try:
        camera = read_mvsnet_camera(path)
    except DataError:
        return
    assert np.isfinite(camera.pose).all()
    assert np.isfinite(camera.intrinsics).all()


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=300))
def test_random_bytes_are_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("cams") / "cam.txt"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_mvsnet_camera(path)
