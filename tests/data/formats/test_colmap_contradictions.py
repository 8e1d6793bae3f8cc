"""COLMAP models that contradict themselves, or their folder, are refused with what is wrong."""

import struct
from pathlib import Path

import pytest
from test_colmap import CAMERAS, IMAGES, POINTS, write

from nerfloss.data.errors import DataError
from nerfloss.data.formats import colmap
from nerfloss.data.formats.colmap_images import natural
from nerfloss.data.formats.parsed_scene import ParseSettings

SETTINGS = ParseSettings()
NEWER = {
    12: "SIMPLE_DIVISION",
    13: "DIVISION",
    14: "SIMPLE_FISHEYE",
    15: "FISHEYE",
    16: "EUCM",
    11: "RAD_TAN_THIN_PRISM_FISHEYE",
    7: "FOV",
    99: "number 99",
    -1: "number -1",
}


def binary_camera(folder: Path, model: int, *params: float) -> Path:
    write(folder)
    content = struct.pack(f"<QiiQQ{len(params)}d", 1, 1, model, 8, 6, *params)
    (folder / "sparse" / "0" / "cameras.bin").write_bytes(content)
    return folder


@pytest.mark.parametrize("number", NEWER)
def test_a_camera_without_a_model_here_is_refused_by_name(tmp_path: Path, number: int) -> None:
    with pytest.raises(DataError, match=rf"cameras\.bin.*{NEWER[number]}.*undistort"):
        colmap.parse(binary_camera(tmp_path, number, *[1.0] * 16), SETTINGS)


def test_the_numbers_are_those_of_colmap() -> None:
    pycolmap = pytest.importorskip("pycolmap")
    known = pycolmap.CameraModelId.__members__
    for number, name in NEWER.items():
        assert name not in known or int(known[name]) == number
    assert int(known["EQUIRECTANGULAR"]) == 17


def test_a_sphere_is_read_if_it_is_whole(tmp_path: Path) -> None:
    scene = colmap.parse(binary_camera(tmp_path / "whole", 17, 8, 6), SETTINGS)
    assert scene.frames[0].camera.model == "EQUIRECTANGULAR"
    with pytest.raises(DataError, match="not its width and height"):
        colmap.parse(binary_camera(tmp_path / "part", 17, 16, 6), SETTINGS)


POINT = POINTS.replace("\r\n", "\n")
BROKEN_POINTS = {
    "2 points have the number 7": POINT + POINT,
    "point 7 has the error nan": POINT.replace("0.5", "nan"),
    "point 7 has the error inf": POINT.replace("0.5", "inf"),
    "point 7 lies at": POINT.replace("1 2 3", "1 2 1e300"),
    "point 7 has the colour": POINT.replace("255", "256"),
    "is seen by image 9": POINT.replace("2 0", "9 0"),
    "key point 2 of 'b/a 9.jpg', which has 2": POINT.replace("2 0\n", "2 2\n"),
    "which is that of point 7": POINT.replace("7 1 2 3", "8 1 2 3"),
    "line 1 is not POINT3D_ID": POINT.replace("2 0\n", "2\n"),
}


@pytest.mark.parametrize("found", BROKEN_POINTS)
def test_broken_points_are_refused(tmp_path: Path, found: str) -> None:
    with pytest.raises(DataError, match=rf"points3D\.txt.*({found})"):
        colmap.parse(write(tmp_path, points=BROKEN_POINTS[found]), SETTINGS)


BROKEN_IMAGES = {
    "2 entries have the image number 1": IMAGES.replace("\r\n2 1 0", "\r\n1 1 0"),
    "two images have the name": IMAGES.replace("a 10.jpg", "a 9.jpg"),
    "is not a unit quaternion": IMAGES.replace("1 1 0 0 0 0", "1 1e200 1e200 0 0 0"),
    "key point 0 of 'b/a 9.jpg' is at": IMAGES.replace("1 2 7", "1 nan 7"),
    "has camera 5": IMAGES.replace("2 1 b/a 10", "2 5 b/a 10"),
}


@pytest.mark.parametrize("found", BROKEN_IMAGES)
def test_broken_images_are_refused(tmp_path: Path, found: str) -> None:
    with pytest.raises(DataError, match=rf"images\.txt.*({found})"):
        colmap.parse(write(tmp_path, images=BROKEN_IMAGES[found]), SETTINGS)


def test_errors_of_minus_one_are_unknown(tmp_path: Path) -> None:
    scene = colmap.parse(write(tmp_path, points=POINT.replace("0.5", "-1")), SETTINGS)
    assert scene.points is not None
    assert scene.points.error is None


def test_two_images_are_not_one_file(tmp_path: Path) -> None:
    images = IMAGES.replace("b/a 10.jpg", "b/a 9.tif")
    with pytest.raises(DataError, match=r"a 9\.(jpg|tif).*a 9\.(jpg|tif).*are one file"):
        colmap.parse(write(tmp_path, images=images), SETTINGS)


@pytest.mark.parametrize("name", ["cameras", "images", "points3D"])
def test_bytes_after_the_last_entry_are_refused(tmp_path: Path, test_data: Path, name: str) -> None:
    source = test_data / "captures" / "colmap_bin"
    if not source.is_dir():
        pytest.skip("no captures in the test data")
    model = tmp_path / "sparse" / "0"
    model.mkdir(parents=True)
    (tmp_path / "images").symlink_to(source / "images")
    for path in (source / "sparse" / "0").iterdir():
        extra = b"\0" if path.stem == name else b""
        (model / path.name).write_bytes(path.read_bytes() + extra)
    with pytest.raises(DataError, match=rf"{name}\.bin.*1 bytes follow the last entry"):
        colmap.parse(tmp_path, SETTINGS)


def second_model(folder: Path, images: str) -> Path:
    write(folder)
    model = folder / "sparse" / "1"
    model.mkdir()
    (model / "cameras.txt").write_text(CAMERAS)
    (model / "images.txt").write_text(images)
    return folder


def test_a_broken_smaller_model_is_noted(tmp_path: Path) -> None:
    scene = colmap.parse(second_model(tmp_path, "1 1 0 0\n"), SETTINGS)
    assert len(scene.frames) == 2
    assert any(str(tmp_path / "sparse" / "1" / "images.txt") in note for note in scene.notes)


def test_a_broken_larger_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1/images\.txt.*line 9"):
        colmap.parse(second_model(tmp_path, IMAGES.replace("\r", "") * 2 + "x\n" * 9), SETTINGS)


def test_masks_of_some_images_are_passed_on(tmp_path: Path) -> None:
    (write(tmp_path) / "masks" / "b").mkdir(parents=True)
    with pytest.raises(DataError, match="no file has the name"):
        colmap.parse(tmp_path, ParseSettings(masks=True))
    (tmp_path / "masks" / "b" / "a 9.jpg.png").touch()
    scene = colmap.parse(tmp_path, SETTINGS)
    masks = [frame.object_mask for frame in scene.frames]
    assert masks == [tmp_path / "masks" / "b" / "a 9.jpg.png", None]
    assert any("1 of 2 images have no mask: b/a 10.jpg" in note for note in scene.notes)


def test_names_of_many_digits_have_an_order() -> None:
    names = ["x", f"1{'0' * 5000}", "10", f"{'0' * 5000}9"]
    assert sorted(names, key=natural) == names[::-1]
