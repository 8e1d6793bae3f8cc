"""A shown run below a cell of a notebook, in a browser: its frame runs scripts, cut off from it."""

import io

import numpy as np
import pytest
from chromium import Browser, chromium, find_chromium
from PIL import Image
from pretended_runs import pretend_run

import nerfloss

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")
FOUND = find_chromium()
pytestmark = pytest.mark.skipif(FOUND is None, reason="needs a Chromium in PATH, or CHROMIUM=path")
WIDTH, HEIGHT = 1100, 3000
CELL = "<!doctype html><html data-ready=yes><title>notebook</title><body style='margin:0'>{}</body>"
PLACE = (
    "(() => {{ const b = document.querySelector('{}').getBoundingClientRect();"
    "return [b.x + window.scrollX, b.y + window.scrollY, b.width, b.height]; }})()"
)


def seen(browser: Browser, box: list[float]) -> np.ndarray:
    picture = np.asarray(Image.open(io.BytesIO(browser.picture())).convert("RGB")).astype(int)
    left, top, width, height = (round(each) for each in box)
    return picture[top : top + height, left : left + width]


@pytest.mark.slow
def test_slider_and_mesh_work_inside_of_the_frame(tmp_path) -> None:
    assert FOUND is not None
    scores = {"psnr": 25.0, "chamfer_l1": 0.01}
    shown = nerfloss.show(pretend_run(tmp_path / "run", scores), height=HEIGHT - 10)
    cell = tmp_path / "cell.html"
    cell.write_text(CELL.format(shown._repr_html_()))
    with chromium(FOUND) as browser:
        # The frame is closed to scripts outside: a page of the same width says where its parts are.
        browser.open(shown.save(tmp_path / "page.html"), width=WIDTH - 2, height=HEIGHT)
        places = {
            name: browser.ask(PLACE.format(f"[data-role={name}]")) for name in ("frame", "canvas")
        }
        browser.complaints.clear()
        browser.requests.clear()
        browser.open(cell, width=WIDTH, height=HEIGHT)
        inside = "document.querySelector('iframe').contentDocument"
        assert browser.ask(f"{inside} === null"), "the frame has an origin of its own"
        for name, (left, top, width, height) in places.items():
            box = [left + 1, top + 1, width, height]
            at = lambda x, y, box=box: (box[0] + x * box[2], box[1] + y * box[3])  # noqa: E731
            browser.wait(
                lambda box=box: len(np.unique(seen(browser, box).reshape(-1, 3), axis=0)) > 30
            )
            browser.drag(at(0.5, 0.5), at(0.52, 0.5))
            resting = seen(browser, box)
            browser.drag(at(0.52, 0.5), at(0.25, 0.6))
            moved = np.abs(seen(browser, box) - resting).max(-1) > 8
            assert moved.mean() > 0.01, f"nothing moves in {name}"
        assert browser.complaints == []
        assert not [
            url for url in browser.requests if not url.startswith(("file:", "data:", "about:"))
        ]
