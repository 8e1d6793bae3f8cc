"""Small captures of one exact object in every layout: the field, seen through the read cameras.

`MANIFEST.json` says for each what is right. Half a pixel, a dropped principal point or a dropped
coefficient give 8 to 43 dB; a right reader 55 to 59.
"""

import importlib.util
import json
import logging
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from nerfloss.data.cameras.cameras import pixel_centers
from nerfloss.data.errors import DataError
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.scene import Scene
from nerfloss.data.views import Views

DATA = Path(os.environ.get("NERFLOSS_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
CAPTURES = DATA / "captures"
MANIFEST = CAPTURES / "MANIFEST.json"
CASES = json.loads(MANIFEST.read_text()) if MANIFEST.is_file() else {}
pytestmark = pytest.mark.skipif(not CASES, reason="needs the captures: set NERFLOSS_TEST_DATA")
ENOUGH = 47.0
SUPERSAMPLING = 4

# Captures whose object is at the origin, and the size of the object in the files.
AT_ORIGIN = (
    "blender_origin", "r06_white_alpha", "r12_black", "r24_none_upper", "r24_wrong", "r25_missing",
    "r29_dots", "r33_half", "r32_blender", "r40_I16", "r40_CMYK", "r10_one_turned",
    "r10_all_turned",
)  # fmt: skip
PLACES = {**dict.fromkeys(AT_ORIGIN, (0.0, 1.0)), "r34_1e3": (0.0, 1e3)}
# What the program says, where a capture must not pass in silence.
SAID = {
    "r06_white_alpha": "every pixel of every mask",
    "r07_inverted": "inverted",
    "r10_all_turned": "EXIF",
    "r27_two_models": "model",
    "r31_wh_doubled": "scaled",
    "r12_black": "black",
}
# Refusals: the file, the value and the remedy are named.
REFUSED = {
    "r11b_rgba_first": "alpha channel",
    "x1_mask_gap": "099",
    "r25_missing": "r_005",
    "r26_no_pose": "no pose",
}


# Refused by what the masks prove about the cameras.
MAY_REFUSE = ("r32_blender",)


@pytest.fixture(scope="module")
def exact():
    spec = importlib.util.spec_from_file_location("exact", CAPTURES / "exact.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def agreement(scene: Scene, views: Views, view: int, exact, place: tuple[float, float]) -> float:
    """PSNR of one stored image against the exact field, inside the object; box-filtered."""
    width, height = views.cameras.size(view)
    step = (torch.arange(SUPERSAMPLING) + 0.5) / SUPERSAMPLING - 0.5
    total, hits = np.zeros((width * height, 3)), np.zeros(width * height)
    turn = scene.to_world[:3, :3] / np.cbrt(np.linalg.det(scene.to_world[:3, :3]))
    for right in step:
        for down in step:
            pixel = pixel_centers(width, height) + torch.tensor([right, down])
            which = torch.full((len(pixel),), view)
            rays = views.cameras.rays(which, pixel, torch.zeros(len(pixel), 3))
            origins = rays.origins.double().numpy() @ scene.to_world[:3, :3].T
            directions = rays.directions.double().numpy() @ turn.T
            center, scale = place
            origins = (origins + scene.to_world[:3, 3]) / scale
            rgb, hit, _ = exact.trace(origins, directions, exact.CENTER * center)
            total += rgb
            hits += hit
    inside = hits == SUPERSAMPLING**2
    stored = views.rgb[view, :height, :width].reshape(-1, 3).numpy() / 255
    error = (total / SUPERSAMPLING**2 - stored)[inside]
    assert inside.sum() > 20
    return float(-10 * np.log10((error**2).mean()))


@pytest.mark.parametrize("name", CASES)
def test_a_capture_is_read_rightly_or_refused_by_name(name, exact, caplog):
    caplog.set_level(logging.INFO)
    if name in REFUSED:
        with pytest.raises(DataError, match=REFUSED[name]):
            FolderDataset(str(CAPTURES / name)).load()
        return
    if name in MAY_REFUSE:
        with suppress(DataError):
            FolderDataset(str(CAPTURES / name)).load()
            pytest.fail("it was read in silence")
        return
    scene = FolderDataset(str(CAPTURES / name)).load()
    if name in SAID:
        assert SAID[name] in caplog.text
    place = PLACES.get(name, (1.0, 1.0))
    scores = [agreement(scene, scene.train, view, exact, place) for view in range(0, 12, 4)]
    assert min(scores) >= ENOUGH
