"""COLMAP models: text and binary agree, broken files are refused, the exact field is seen."""

import contextlib
import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nerfloss.data.errors import DataError
from nerfloss.data.formats import colmap
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.formats.parsed_scene import ParseSettings

CAMERAS = "# comment\r\n1 PINHOLE 8 6 10 10 4 3\r\n"
IMAGES = "1 1 0 0 0 0 0 2 1 b/a 10.jpg\r\n\r\n2 1 0 0 0 1 0 2 1 b/a 9.jpg\r\n1 2 7 3 4 -1\r\n"
POINTS = "7 1 2 3 255 0 0 0.5 2 0\r\n"
CAPTURES = ("colmap_bin", "colmap_txt", "colmap_no_points", "colmap_simple_radial")
# No deadline for one example: the first one imports what the reader needs.
MUTATIONS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def write(folder: Path, cameras: str = CAMERAS, images: str = IMAGES, points: str = POINTS) -> Path:
    model = folder / "sparse" / "0"
    (folder / "images" / "b").mkdir(parents=True, exist_ok=True)
    model.mkdir(parents=True, exist_ok=True)
    for name, text in {"cameras": cameras, "images": images, "points3D": points}.items():
        (model / f"{name}.txt").write_bytes(text.encode())
    for name in ("a 10.JPG", "a 9.png"):
        (folder / "images" / "b" / name).touch()
    return folder


def test_names_order_points_and_files_of_another_ending(tmp_path: Path) -> None:
    scene = colmap.parse(write(tmp_path), ParseSettings())
    assert [frame.name for frame in scene.frames] == ["b/a 9", "b/a 10"]
    assert [frame.image.name for frame in scene.frames] == ["a 9.png", "a 10.JPG"]
    assert scene.points is not None
    np.testing.assert_array_equal(np.asarray(scene.points.observations), [[0, 0]])
    np.testing.assert_array_equal(np.asarray(scene.points.pixels), [[1.0, 2.0]])
    assert np.array_equal(scene.frames[0].pose[:, 3], [-1.0, 0.0, -2.0])


def test_missing_images_are_named_or_skipped(tmp_path: Path) -> None:
    (write(tmp_path) / "images" / "b" / "a 9.png").unlink()
    with pytest.raises(DataError, match=r"b/a 9\.jpg"):
        colmap.parse(tmp_path, ParseSettings())
    scene = colmap.parse(tmp_path, ParseSettings(missing="skip"))
    assert len(scene.frames) == 1
    assert any("1 of 2" in note for note in scene.notes)


@pytest.mark.parametrize("model", ["FOV", "RAD_TAN_THIN_PRISM_FISHEYE"])
def test_an_unknown_camera_is_refused_by_name(tmp_path: Path, model: str) -> None:
    with pytest.raises(DataError, match=rf"{model}.*undistort"):
        colmap.parse(write(tmp_path, f"1 {model} 8 6 1 1 1 1 1\n"), ParseSettings())


@MUTATIONS
@given(data=st.data())
def test_mutated_text_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    texts = [CAMERAS, IMAGES, POINTS]
    which = data.draw(st.integers(0, 2))
    words = texts[which].split(" ")
    at = data.draw(st.integers(0, len(words) - 1))
    values = ["nan", "inf", "1e400", "-1", "9" * 30, "", "x", "\0", "#", "\r\n", "../.."]
    words[at] = data.draw(st.sampled_from(values) | st.text(max_size=5).filter(_encodes))
    texts[which] = " ".join(words)
    _refused_or_read(write(tmp_path, *texts))


@MUTATIONS
@given(data=st.data())
def test_mutated_binary_is_refused(tmp_path: Path, test_data: Path, data: st.DataObject) -> None:
    source = test_data / "captures" / "colmap_bin"
    if not source.is_dir():
        pytest.skip("no captures in the test data")
    model = tmp_path / "sparse" / "0"
    if not model.is_dir():
        shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    name = data.draw(st.sampled_from(["cameras", "images", "points3D"]))
    content = (source / "sparse" / "0" / f"{name}.bin").read_bytes()
    at = data.draw(st.integers(0, min(len(content), 200)))
    insert = data.draw(st.binary(max_size=8) | st.just(b"\xff" * 8))
    end = len(content) if data.draw(st.booleans()) else at
    (model / f"{name}.bin").write_bytes((content[:at] + insert + content[at + len(insert) :])[:end])
    _refused_or_read(tmp_path)
    (model / f"{name}.bin").write_bytes(content)


def _encodes(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _refused_or_read(folder: Path) -> None:
    with contextlib.suppress(DataError):
        colmap.parse(folder, ParseSettings())


@pytest.mark.parametrize("name", [*CAPTURES, "r27_two_models", "r29_colmap_rig"])
def test_the_cameras_see_the_exact_field(test_data: Path, name: str) -> None:
    folder = test_data / "captures" / name
    if not folder.is_dir():
        pytest.skip(f"no capture {name} in the test data")
    spec = importlib.util.spec_from_file_location("exact", folder.parent / "exact.py")
    assert spec is not None
    assert spec.loader is not None
    exact = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(exact)
    scene = FolderDataset(str(folder), layout="colmap").load()
    views, error = scene.train, []
    for view in range(0, len(views), 4):
        width, height = views.cameras.size(view)
        rows, columns = np.mgrid[:height, :width].reshape(2, -1)
        seen = views.rgb[view].numpy()[rows, columns] / 255.0
        error.append(_errors(exact, views.cameras, scene.to_world, view, (columns, rows), seen))
    assert -10 * np.log10(np.concatenate(error).mean()) >= 47


def _errors(exact, cameras, to_world, view, pixel, seen):
    total, hits = 0.0, True
    for x, y in (
        (a, b) for a in (0.125, 0.375, 0.625, 0.875) for b in (0.125, 0.375, 0.625, 0.875)
    ):
        position = np.stack([pixel[0] + x, pixel[1] + y], -1)
        index = torch.full((len(position),), view)
        pixels, black = torch.from_numpy(position).float(), torch.zeros(len(position), 3)
        rays = cameras.rays(index, pixels, black)
        origin, direction = rays.origins.double().numpy(), rays.directions.double().numpy()
        turn = to_world[:3, :3]
        direction = direction @ turn.T
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        rgb, hit, _ = exact.trace(origin @ turn.T + to_world[:3, 3], direction)
        total, hits = total + rgb / 16, hits & hit
    return ((total - seen) ** 2)[hits].mean(-1)
