"""Scenes of LLFF, made up: axes, sizes, order, and what is refused."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nerfloss.data.errors import DataError
from nerfloss.data.formats import llff
from nerfloss.data.formats.detection import detect_layout
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.formats.parsed_scene import ParseSettings

SETTINGS = ParseSettings()
SIZE, FOCAL = (48, 32), 40.0
NAMES = ("a1", "a2", "a10")  # as text: a1, a10, a2


def pose(view: int) -> np.ndarray:
    """A camera-to-world matrix in OpenCV axes that looks at the origin."""
    turn = 0.3 * view
    forward = np.array([np.sin(turn), 0.0, np.cos(turn)])
    down = np.array([0.0, 1.0, 0.0])
    return np.stack([np.cross(down, forward), down, forward, -4 * forward], 1)


def row(view: int) -> list[float]:
    right, down, forward, center = pose(view).T
    matrix = np.stack([down, right, -forward, center, (SIZE[1], SIZE[0], FOCAL)], 1)
    return [*matrix.ravel().tolist(), 1.5, 9.0]


def write_images(folder: Path, factor: int = 1) -> None:
    folder.mkdir(parents=True)
    for index, name in enumerate(NAMES):
        size = (SIZE[0] // factor, SIZE[1] // factor)
        Image.new("RGB", size, (60 * index, 9, 9)).save(folder / f"{name}.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "poses_bounds.npy", np.array([row(view) for view in range(3)]))
    write_images(tmp_path / "images")
    return tmp_path


def test_rows_are_in_the_order_of_names_as_text(folder: Path) -> None:
    scene = llff.parse(folder, SETTINGS)
    assert [frame.name for frame in scene.frames] == ["a1", "a10", "a2"]
    for view, frame in enumerate(scene.frames):
        np.testing.assert_allclose(frame.pose, pose(view), atol=1e-12)
        assert (frame.camera.width, frame.camera.height) == SIZE
        assert frame.camera.params == (FOCAL, 24.0, 16.0)
    np.testing.assert_array_equal(scene.more["bounds"], [[1.5, 9.0]] * 3)
    assert any("order of their names as text" in note for note in scene.notes)
    assert any("principal point" in note for note in scene.notes)


def test_a_scene_is_built_and_the_origin_is_in_the_middle(folder: Path) -> None:
    assert detect_layout(folder) == "llff"
    scene = FolderDataset(str(folder), hold_out=["a2"], scene_radius=1.0).load()
    assert scene.train.names == ("a1", "a10")
    for view in range(2):
        pixel, depth = scene.train.cameras.project(scene.train.cameras.poses.new_zeros(1, 3), view)
        assert depth.item() == pytest.approx(4.0)
        assert pixel[0].tolist() == pytest.approx([24.0, 16.0], abs=1e-3)


@pytest.mark.parametrize("factor", [4, 8])
def test_smaller_copies_are_used_where_downscale_asks(folder: Path, factor: int) -> None:
    write_images(folder / f"images_{factor}", factor)
    scene = llff.parse(folder, ParseSettings(downscale=factor))
    assert scene.frames[0].image.parent.name == f"images_{factor}"
    built = FolderDataset(str(folder), downscale=factor, hold_out=["a2"]).load()
    cameras = built.train.cameras
    assert cameras.size(0) == (SIZE[0] // factor, SIZE[1] // factor)
    assert cameras.intrinsics[0, 0, 0].item() == pytest.approx(FOCAL / factor)


def test_only_smaller_copies(folder: Path) -> None:
    (folder / "images").rename(folder / "images_4")
    scene = llff.parse(folder, SETTINGS)
    assert any("images_4" in note for note in scene.notes)


def test_masks_beside_the_images(folder: Path) -> None:
    write_images(folder / "masks")
    masks = [frame.object_mask for frame in llff.parse(folder, SETTINGS).frames]
    assert masks == [folder / "masks" / f"{name}.png" for name in ("a1", "a10", "a2")]


def test_a_colmap_model_comes_first(folder: Path) -> None:
    (folder / "sparse" / "0").mkdir(parents=True)
    for name in ("cameras", "images", "points3D"):
        (folder / "sparse" / "0" / f"{name}.txt").touch()
    assert detect_layout(folder) == "colmap"


def test_another_number_of_images_is_refused(folder: Path) -> None:
    (folder / "images" / "a2.png").unlink()
    with pytest.raises(DataError, match=r"poses_bounds\.npy: poses of 3 images, but .* has 2"):
        llff.parse(folder, SETTINGS)


CHANGES = {
    "NaN": ((1, 3), np.nan),
    "a10.png is not a rotation": ((1, 0), 3.0),
    "bounds 10 and 9": ((1, 15), 10.0),
    "bounds 0 and 9": ((1, 15), 0.0),
    "focal length is 0": ((1, 14), 0.0),
    "48 x 32.5 pixels": ((1, 4), 32.5),
    "48 x 0": ((1, 4), 0.0),
}


@pytest.mark.parametrize("found", CHANGES)
def test_values_that_no_camera_has_are_refused(folder: Path, found: str) -> None:
    place, value = CHANGES[found]
    rows = np.load(folder / "poses_bounds.npy")
    rows[place] = value
    np.save(folder / "poses_bounds.npy", rows)
    with pytest.raises(DataError, match=rf"poses_bounds\.npy.*{found}"):
        llff.parse(folder, SETTINGS)


@pytest.mark.parametrize(
    "array", [np.zeros((3, 15)), np.zeros(17), np.zeros((0, 17)), np.full((3, 17), "x")]
)
def test_other_arrays_are_refused(folder: Path, array: np.ndarray) -> None:
    np.save(folder / "poses_bounds.npy", array)
    with pytest.raises(DataError, match=r"poses_bounds\.npy"):
        llff.parse(folder, SETTINGS)


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 300), insert=st.binary(max_size=9), cut=st.booleans())
def test_damaged_files_are_refused_or_read(tmp_path_factory, at, insert, cut) -> None:
    folder = tmp_path_factory.mktemp("llff")
    np.save(folder / "poses_bounds.npy", np.array([row(view) for view in range(3)]))
    content = (folder / "poses_bounds.npy").read_bytes()
    content = content[:at] + insert + (b"" if cut else content[at + len(insert) :])
    (folder / "poses_bounds.npy").write_bytes(content)
    write_images(folder / "images")
    with contextlib.suppress(DataError):
        llff.parse(folder, SETTINGS)
