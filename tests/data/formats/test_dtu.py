"""DTU's MVS data, made up: cameras against the files' own projections, files, what is refused."""

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmark_scenes import write_dtu
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from small_scenes import small_scene

from nerfloss.data.errors import DataError
from nerfloss.data.formats import dtu
from nerfloss.data.formats.detection import detect_layout
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.formats.parsed_scene import ParseSettings

SETTINGS = ParseSettings()
# A camera like those of cal18: its principal point is near the middle of 1600 x 1200 pixels.
INTRINSICS = np.array([[2892.0, 0, 823.0], [0, 2883.0, 619.0], [0, 0, 1]])
POINTS = np.random.default_rng(0).uniform(-40, 40, (50, 3))  # millimetres


def projection(turn: float) -> np.ndarray:
    """A projection of points near the origin, from a distance of 650."""
    c, s = np.cos(turn), np.sin(turn)
    rotation = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    return INTRINSICS @ np.column_stack([rotation, [3.0, -4.0, 650.0]])


def pixels_of(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The pixels by the file's own formula; the centre of the first pixel is 0."""
    projected = points @ matrix[:, :3].T + matrix[:, 3]
    return projected[:, :2] / projected[:, 2:]


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """Images of 400 x 300, and projections for 1600 x 1200."""
    place, cal18 = tmp_path / "Rectified" / "scan24", tmp_path / "Calibration" / "cal18"
    place.mkdir(parents=True)
    cal18.mkdir(parents=True)
    for position in range(1, 5):
        Image.new("RGB", (400, 300), (9, 50 * position, 9)).save(
            place / f"rect_{position:03d}_3_r5000.png"
        )
        np.savetxt(cal18 / f"pos_{position:03d}.txt", projection(0.2 * position), "%.6f")
    return place


@pytest.fixture(scope="module")
def analytic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dtu(tmp_path_factory.mktemp("dtu"), small_scene(views=4))


def check_cameras(place: Path, scene, scale: float) -> None:
    """Compare projections with the files': half a pixel apart, and ``scale`` times the size."""
    views, to_scene = scene.train, np.linalg.inv(scene.to_world)
    points = torch.from_numpy(POINTS @ to_scene[:3, :3].T + to_scene[:3, 3]).double()
    cal18 = place.parents[1] / "Calibration" / "cal18"
    for view, name in enumerate(views.names):
        matrix = np.loadtxt(cal18 / f"pos_{name.split('_')[1]}.txt")
        expected = scale * (pixels_of(matrix, POINTS) + 0.5)
        found, depth = views.cameras.project(points.to(views.cameras.poses.dtype), view)
        assert (depth > 0).all()
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-3)


def test_points_are_seen_where_the_projections_put_them(analytic: Path) -> None:
    assert detect_layout(analytic) == "dtu"
    scene = FolderDataset(str(analytic), hold_out=["rect_004_3_r5000"]).load()
    check_cameras(analytic, scene, 1.0)


def test_smaller_copies_have_the_calibration_of_the_full_size(scan: Path) -> None:
    scene = FolderDataset(str(scan), hold_out=["rect_004_3_r5000"]).load()
    assert scene.train.cameras.size(0) == (400, 300)
    check_cameras(scan, scene, 0.25)


def test_images_of_the_full_size(scan: Path) -> None:
    for path in scan.iterdir():
        Image.new("L", (1600, 1200)).convert("RGB").save(path)
    scene = FolderDataset(str(scan), hold_out=["rect_004_3_r5000"]).load()
    assert scene.train.cameras.size(0) == (1600, 1200)
    check_cameras(scan, scene, 1.0)
    assert not any("as they are" in note for note in dtu.parse(scan, SETTINGS).notes)


def test_a_projection_with_another_focal_length_is_named(scan: Path) -> None:
    assert not any("focal length" in note for note in dtu.parse(scan, SETTINGS).notes)
    path = scan.parents[1] / "Calibration" / "cal18" / "pos_002.txt"
    np.savetxt(path, np.diag([1.1, 1.1, 1]) @ np.loadtxt(path))
    notes = dtu.parse(scan, SETTINGS).notes
    assert any("pos_002.txt has another focal length (3181" in note for note in notes)


@pytest.mark.parametrize("size", [(640, 512), (150, 150)])
def test_cropped_images_are_refused(scan: Path, size: tuple[int, int]) -> None:
    for path in scan.iterdir():
        Image.new("RGB", size).save(path)
    with pytest.raises(DataError, match=r"cal18: the principal point .* far from the middle"):
        dtu.parse(scan, SETTINGS)


def test_reference_files_are_found_by_the_number_of_the_scan(analytic: Path) -> None:
    root = analytic.parents[1]
    scene = FolderDataset(str(analytic), hold_out=["rect_004_3_r5000"]).load()
    reference = scene.reference
    assert reference is not None
    assert reference.points == root / "Points" / "stl" / "stl024_total.ply"
    assert reference.observed == root / "ObsMask" / "ObsMask24_10.mat"
    assert reference.plane == root / "ObsMask" / "Plane24.mat"
    np.testing.assert_array_equal(reference.to_reference, np.eye(4))


def test_what_is_missing_of_the_reference_is_said(scan: Path) -> None:
    parsed = dtu.parse(scan, SETTINGS)
    assert parsed.reference is not None
    assert parsed.reference.files == ()
    assert any("not there: Points/stl/stl024_total.ply" in note for note in parsed.notes)
    other = scan.rename(scan.with_name("object"))
    assert any("not scanN" in note for note in dtu.parse(other, SETTINGS).notes)


@pytest.mark.parametrize(
    "move",
    ["", "SampleSet/MVS Data", "MVS Data"],
)
def test_the_folders_of_the_archives(scan: Path, move: str) -> None:
    root = scan.parents[1]
    (root / move).mkdir(parents=True, exist_ok=True)
    if move:
        (root / "Calibration").rename(root / move / "Calibration")
    assert len(dtu.parse(scan, SETTINGS).frames) == 4
    assert detect_layout(root) == "dtu"
    assert len(dtu.parse(root, SETTINGS).frames) == 4


def test_a_scan_that_holds_everything(scan: Path) -> None:
    (scan.parents[1] / "Calibration").rename(scan / "Calibration")
    assert len(dtu.parse(scan, SETTINGS).frames) == 4


def test_one_of_several_scans_must_be_chosen(scan: Path) -> None:
    shutil.copytree(scan, scan.with_name("scan37"))
    for folder in (scan.parents[1], scan.parent):
        assert detect_layout(folder) == "dtu"
        with pytest.raises(DataError, match=r"several scans: .*scan24, .*scan37"):
            dtu.parse(folder, SETTINGS)


def test_other_images_are_no_scan(tmp_path: Path) -> None:
    for name in ("clean_001_left.png", "rect_1.png", "rect_001_3_r5000.txt"):
        (tmp_path / name).touch()
    assert not dtu.detect(tmp_path)


def test_images_of_one_light_are_used(scan: Path) -> None:
    for path in list(scan.iterdir()):
        shutil.copy(path, scan / path.name.replace("_3_", "_0_"))
        shutil.copy(path, scan / path.name.replace("_3_r5000", "_max"))
    parsed = dtu.parse(scan, SETTINGS)
    assert all("_3_" in frame.name for frame in parsed.frames)
    assert any("light 3 are used; those of 0, max are not" in note for note in parsed.notes)
    for path in scan.glob("*_3_*"):
        path.unlink()
    (scan / "rect_001_max.png").unlink()
    assert all("_0_" in frame.name for frame in dtu.parse(scan, SETTINGS).frames)


def test_cleaned_images(scan: Path) -> None:
    place = scan.parents[1] / "Cleaned" / "scan24"
    place.parent.mkdir()
    scan.rename(place)
    for path in list(place.iterdir()):
        path.rename(place / path.name.replace("rect", "clean"))
    assert detect_layout(place) == "dtu"
    names = [frame.name for frame in dtu.parse(place, SETTINGS).frames]
    assert names[0] == "clean_001_3_r5000"


def test_missing_files_are_named(scan: Path) -> None:
    cal18 = scan.parents[1] / "Calibration" / "cal18"
    (cal18 / "pos_002.txt").unlink()
    with pytest.raises(DataError, match=r"1 of 4 images, first rect_002_3_r5000\.png"):
        dtu.parse(scan, SETTINGS)
    assert len(dtu.parse(scan, ParseSettings(missing="skip")).frames) == 3
    shutil.rmtree(cal18)
    with pytest.raises(DataError, match=r"no Calibration/cal18"):
        dtu.parse(scan, SETTINGS)


def test_masks_that_are_asked_for_and_not_there_are_refused(scan: Path) -> None:
    with pytest.raises(DataError, match=r"dataset\.masks=true"):
        dtu.parse(scan, ParseSettings(masks=True))


@settings(max_examples=150, deadline=None)
@given(
    index=st.integers(0, 11),
    word=st.one_of(st.sampled_from(["nan", "inf", "1e308", "0", "-1", "x", ""]), st.text()),
)
def test_a_damaged_projection_is_refused_or_is_one(tmp_path_factory, index, word) -> None:
    words = " ".join(str(value) for value in projection(0.3).ravel()).split()
    words[index] = word
    path = tmp_path_factory.mktemp("cal18") / "pos_001.txt"
    path.write_text(" ".join(words), encoding="utf-8", errors="replace")
    with contextlib.suppress(DataError):
        intrinsics, pose = dtu.read_projection(path)
        assert np.isfinite(pose).all()
        assert np.linalg.det(pose[:, :3]) == pytest.approx(1)
        assert np.diag(intrinsics).min() > 0


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=200))
def test_random_bytes_are_refused(tmp_path_factory, content) -> None:
    path = tmp_path_factory.mktemp("cal18") / "pos_001.txt"
    path.write_bytes(content)
    with pytest.raises(DataError):
        dtu.read_projection(path)


@settings(max_examples=40, deadline=None)
@given(
    at=st.integers(0, 200),
    insert=st.sampled_from([b" ", b"nan ", b"9", b"-", b"e9", b"\xff", b"\n1 2 3\n", b"."]),
    cut=st.booleans(),
)
def test_a_mutated_file_never_raises_anything_else(analytic: Path, at, insert, cut) -> None:
    path = analytic.parents[1] / "Calibration" / "cal18" / "pos_002.txt"
    before = path.read_bytes()
    path.write_bytes(before[:at] + insert + (b"" if cut else before[at:]))
    try:
        with contextlib.suppress(DataError):
            assert len(dtu.parse(analytic, SETTINGS).frames) == 4
    finally:
        path.write_bytes(before)
