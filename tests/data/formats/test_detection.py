"""A folder of no known layout is refused with what to do about what it holds."""

import re

import pytest
from transforms_scenes import content, write

from nerfloss.data.errors import DataError
from nerfloss.data.formats.detection import detect_layout


def test_a_folder_of_scenes_names_the_scenes_inside(tmp_path):
    write(tmp_path / "a scene", content())
    (tmp_path / "notes").mkdir()
    with pytest.raises(DataError, match=re.escape(f"inside of it: {tmp_path / 'a scene'}")):
        detect_layout(tmp_path)


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
