"""The captures: what is wrong with each is said, and nothing about the right ones."""

from pathlib import Path

import pytest

from nerfloss.data.formats.detection import layout_module
from nerfloss.data.formats.parsed_scene import ParseSettings
from nerfloss.data.inspection.inspect_scene import inspect_scene
from nerfloss.data.inspection.inspection import Inspection

RIGHT = {
    "nerfstudio": ["ns_pinhole", "ns_opencv", "r39_depth"],
    "neus": ["neus_padded", "r08_01"],
    "blender": ["blender", "r34_1e3", "r40_CMYK"],
}
SAID = {
    "r07_inverted": "seem inverted",
    "r42_lexicographic": "poses do not belong to these images",
    "r06_white_alpha": "white everywhere",
    "r12_black": "is black",
    "r32_blender": "flipped",
    "r11b_rgba_first": "have no object mask",
    "r10_all_turned": "turned upright by the EXIF",
    "r26_no_pose": "no camera",
}


def layout_of(name: str) -> str:
    return "neus" if name in ("r07_inverted", "r42_lexicographic") else "blender"


def inspected(folder: Path, layout: str) -> Inspection:
    if not folder.is_dir():
        pytest.skip(f"no capture at {folder}")
    parsed = layout_module(layout).parse(folder, ParseSettings(missing="skip"))
    return inspect_scene(parsed)


@pytest.mark.parametrize(
    ("layout", "name"), [(layout, name) for layout, names in RIGHT.items() for name in names]
)
def test_nothing_is_suspicious_in_a_right_capture(test_data, layout, name) -> None:
    assert inspected(test_data / "captures" / name, layout).findings == ()


@pytest.mark.parametrize(("name", "words"), SAID.items())
def test_what_is_wrong_is_said(test_data, name, words) -> None:
    found = inspected(test_data / "captures" / name, layout_of(name)).findings
    assert any(words in finding.text for finding in found), found
