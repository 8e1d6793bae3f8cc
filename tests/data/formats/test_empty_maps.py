"""Ignore masks that ignore everything and depth maps that know nothing are refused or named."""

import numpy as np
import pytest
from PIL import Image
from transforms_scenes import content, write

from nerfloss.data.errors import DataError
from nerfloss.data.formats.folder_dataset import FolderDataset

KEYS = {"mask_path": (np.uint8, 255), "depth_file_path": (np.uint16, 3000)}


def scene(folder, key, empty):
    """Write 4 views whose maps are 0 in the views of ``empty``, and useful in the others."""
    values = content()
    kind, useful = KEYS[key]
    (folder / "maps").mkdir()
    for index, frame in enumerate(values["frames"]):
        frame[key] = f"maps/{index}.png"
        pixels = np.full((6, 8), 0 if index in empty else useful, kind)
        Image.fromarray(pixels).save(folder / frame[key])
    return FolderDataset(str(write(folder, values)), hold_out=2)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("mask_path", "the ignore masks ignore every pixel"),
        ("depth_file_path", "the depth maps hold no known depth"),
    ],
)
def test_maps_that_say_nothing_are_refused_or_named(tmp_path, caplog, key, found):
    for name in ("all", "one", "none"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=rf"maps/0.png: {found} in 4 of 4 views; .*remove them"):
        scene(tmp_path / "all", key, {0, 1, 2, 3}).load()
    scene(tmp_path / "none", key, set()).load()
    assert found not in caplog.text
    scene(tmp_path / "one", key, {2}).load()
    assert f"{found} in 1 of 4 views: 2.png" in caplog.text
