"""A folder of no known layout is refused with what to do about what it holds."""

import errno
import os
import re
from pathlib import Path
from unittest.mock import Mock

import pytest
from transforms_scenes import content, write

from nerfloss.data.errors import DataError
from nerfloss.data.formats.detection import detect_layout
from nerfloss.data.formats.folder_dataset import FolderDataset


def test_a_folder_of_scenes_names_the_scenes_inside(tmp_path):
    write(tmp_path / "a scene", content())
    (tmp_path / "notes").mkdir()
    with pytest.raises(DataError, match=re.escape(f"inside of it: {tmp_path / 'a scene'}")):
        detect_layout(tmp_path)


def colmap(model: Path) -> None:
    model.mkdir(parents=True)
    for name in ("cameras.bin", "images.bin"):
        (model / name).write_bytes(b"")


@pytest.mark.parametrize("above", [".", "data"])
@pytest.mark.parametrize("other", ["colmap", "nerfstudio"])
def test_a_model_that_is_found_by_search_is_not_one_of_several_scenes(tmp_path, above, other):
    inside = tmp_path / above
    colmap(inside / "a" / "sparse" / "0")
    if other == "colmap":
        colmap(inside / "b" / "sparse" / "0")
    else:
        write(inside / "b", content())
    (inside / "notes").mkdir()
    both = re.escape(f"2 scenes and not one; set dataset.path to a scene inside of it: {inside}/a")
    with pytest.raises(DataError, match=both):
        detect_layout(tmp_path)


@pytest.mark.parametrize(
    "models",
    [
        ("sparse/0", "sparse/1"),
        ("work/models/0", "work/models/1"),
        ("project/sparse/0",),
        ("a/b/c/0",),
    ],
)
def test_models_of_one_scene_are_found_by_search(tmp_path, models):
    for model in models:
        colmap(tmp_path / model)
    (tmp_path / "images").mkdir()
    assert detect_layout(tmp_path) == "colmap"


@pytest.mark.parametrize(("kept", "missing"), [("images", "cameras"), ("cameras", "images")])
@pytest.mark.parametrize("ending", [".bin", ".txt"])
def test_half_a_colmap_model_names_the_file_that_is_missing(tmp_path, kept, missing, ending):
    model = tmp_path / "sparse" / "0"
    model.mkdir(parents=True)
    (model / f"{kept}{ending}").write_bytes(b"")
    file = re.escape(str(model / f"{missing}{ending}"))
    with pytest.raises(DataError, match=f"restore {file}, which a COLMAP model needs beside"):
        detect_layout(tmp_path)


def test_photographs_alone_are_sent_to_the_capture(tmp_path):
    (tmp_path / "a.JPG").write_bytes(b"")
    with pytest.raises(DataError, match="nerfloss capture PHOTOGRAPHS -o SCENE"):
        detect_layout(tmp_path)


def denied(monkeypatch, name: str) -> None:
    """Let the operating system deny all that lies in a folder, as to a user without rights."""

    def refusing(function):
        def call(path, *arguments, **settings):
            if name in os.fspath(path).split(os.sep):
                raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
            return function(path, *arguments, **settings)

        return call

    for function in ("scandir", "listdir"):
        monkeypatch.setattr(os, function, refusing(getattr(os, function)))
    monkeypatch.setattr(Path, "is_file", refusing(Path.is_file))
    monkeypatch.setattr(Path, "read_bytes", refusing(Path.read_bytes))


def test_a_folder_without_the_right_to_read_is_named(tmp_path, monkeypatch):
    write(tmp_path / "closed", content())
    denied(monkeypatch, "closed")
    folder = tmp_path / "closed"
    with pytest.raises(DataError, match=f"^{folder}: may not be read .*chmod -R u\\+rX {folder}"):
        FolderDataset(str(folder)).load()


def test_a_model_without_the_right_to_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "sparse").mkdir()
    denied(monkeypatch, "sparse")
    with pytest.raises(DataError, match=f"^{tmp_path / 'sparse'}: may not be read"):
        FolderDataset(str(tmp_path)).load()


def test_images_without_the_right_to_read_are_not_said_to_be_missing_only(tmp_path, monkeypatch):
    write(tmp_path, content())
    denied(monkeypatch, "images")
    with pytest.raises(DataError, match="images/ may not be read: Permission denied"):
        FolderDataset(str(tmp_path)).load()


@pytest.mark.parametrize(
    ("name", "beside", "method"),
    [
        ("transforms.json", (), "read_bytes"),
        ("images.bin", ("cameras.bin",), "read_bytes"),
        ("cameras_sphere.npz", ("image/000.png",), "open"),
    ],
)
def test_cameras_without_the_right_to_read_need_not_be_repaired(
    tmp_path, monkeypatch, name, beside, method
):
    path = tmp_path / name
    for file in (path, *(tmp_path / each for each in beside)):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"")
    denied_file = PermissionError(errno.EACCES, "Permission denied", str(path))
    monkeypatch.setattr(Path, method, Mock(side_effect=denied_file))
    with pytest.raises(DataError, match=f"^{path}: may not be read .*chmod"):
        FolderDataset(str(tmp_path)).load()
