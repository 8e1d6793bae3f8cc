"""The overview: one picture, and a page that needs nothing else."""

import json
import re
from dataclasses import replace

import numpy as np
from PIL import Image

from nerfloss.data.inspection.inspect_scene import inspect_scene
from nerfloss.data.inspection.overview_page import overview_page, write_page
from nerfloss.data.inspection.overview_picture import (
    contact_sheet,
    overview_picture,
    write_picture,
)
from nerfloss.data.inspection.plot_frame import plotted_scene, view_colors


def test_cameras_region_and_points_lie_in_the_frame(small_scene, points) -> None:
    parsed = replace(small_scene.parsed, points=points(small_scene.parsed), test=(1,))
    inspection = inspect_scene(parsed)
    scene = plotted_scene(inspection)
    assert np.abs(scene.frusta).max() < 1.2 * scene.extent
    assert np.abs(scene.center).max() + scene.radius < scene.extent
    # z is up: all cameras of the ring are above the ball.
    assert (scene.frusta[:, 0, 2] > scene.center[2]).all()
    assert scene.points.shape == scene.colors.shape == (400, 3)
    assert view_colors(inspection)[1] == "#2f6fde"


def test_files_are_written(small_scene, tmp_path) -> None:
    inspection = inspect_scene(small_scene.parsed, matches=False)
    write_picture(inspection, tmp_path / "overview.png")
    write_page(inspection, tmp_path / "overview.html")
    with Image.open(tmp_path / "overview.png") as image:
        assert image.width > 1000
        assert len(image.convert("RGB").getcolors(1 << 24) or []) > 100


def test_every_picture_of_the_sheet_has_its_whole_frame(small_scene) -> None:
    inspection = inspect_scene(small_scene.parsed, matches=False)
    colors = [f"#{9 * view + 100:02x}01fe" for view in range(12)]
    sheet = np.asarray(contact_sheet(inspection, colors)).astype(np.int64)
    counts = [(sheet == [9 * view + 100, 1, 254]).all(-1).sum() for view in range(12)]
    assert min(counts) == max(counts) > 400


def test_the_page_asks_for_no_other_file(small_scene) -> None:
    page = overview_page(inspect_scene(small_scene.parsed, matches=False))
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:)", page)
    assert "http" not in page
    data = json.loads(re.search(r'application/json">(.*?)</script>', page, re.S)[1])
    assert len(data["cameras"]) == 12
    assert data["cameras"][0]["picture"].startswith("data:image/jpeg;base64,")


def test_names_of_files_are_no_markup(small_scene) -> None:
    frames = list(small_scene.parsed.frames)
    frames[0] = replace(frames[0], name="<!--<script></script><b>@@DATA@@")
    parsed = replace(small_scene.parsed, frames=tuple(frames), notes=("<img src=x>",))
    page = overview_page(inspect_scene(parsed, matches=False))
    assert "<img src=x>" not in page
    assert "</script><b>" not in page
    assert page.count("</script>") == 2


def test_a_scene_without_readable_images_is_drawn(small_scene) -> None:
    for frame in small_scene.parsed.frames:
        frame.image.unlink()
    inspection = inspect_scene(small_scene.parsed)
    assert len(inspection.findings) == 12
    assert overview_picture(inspection).height > 400
