"""The page in a browser: no errors, a slider that slides, a mesh that turns, no overflow."""

import io
from pathlib import Path

import numpy as np
import pytest
from chromium import Browser, chromium, find_chromium
from PIL import Image
from pretended_runs import pretend_ablation, pretend_sweep

from nerfloss.experiments.report.page.page import write_report

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")
FOUND = find_chromium()
pytestmark = pytest.mark.skipif(FOUND is None, reason="needs a Chromium in PATH, or CHROMIUM=path")
PHONE, DESKTOP = 390, 1280


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    return write_report(pretend_sweep(tmp_path_factory.mktemp("sweep"), seeds=2))


@pytest.fixture(scope="module")
def browser():
    assert FOUND is not None
    with chromium(FOUND) as opened:
        yield opened


def pixels(browser: Browser, selector: str) -> np.ndarray:
    """What is seen of an element."""
    box = browser.box(selector)
    whole = np.asarray(Image.open(io.BytesIO(browser.picture())).convert("RGB")).astype(int)
    top, left = round(box["y"]), round(box["x"])
    return whole[top : top + round(box["height"]), left : left + round(box["width"])]


def middle(box: dict[str, float], across: float = 0.5, down: float = 0.5) -> tuple[float, float]:
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


@pytest.mark.slow
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_page_opens_without_complaint_and_fits_the_window(browser, page, width):
    browser.complaints.clear()
    browser.requests.clear()
    browser.open(page, width=width, touch=width == PHONE)
    assert browser.complaints == []
    assert browser.ask("document.documentElement.scrollWidth") <= width
    wide = (
        "[...document.querySelectorAll('section *')].filter(e => !e.closest('.scroll, svg') && "
        f"e.getBoundingClientRect().right > {width} + 0.5).map(e => e.outerHTML.slice(0, 80))"
    )
    assert browser.ask(wide) == []
    assert not [url for url in browser.requests if not url.startswith(("file:", "data:"))]


@pytest.mark.slow
def test_the_slider_moves_the_divider_and_what_is_seen(browser, page):
    browser.open(page, width=DESKTOP)
    frame = browser.box("[data-role=frame]")
    place = "document.querySelector('[data-role=divider]').getBoundingClientRect().x"
    before, seen = browser.ask(place), pixels(browser, "[data-role=frame]")
    browser.drag(middle(frame), middle(frame, 0.2))
    after = browser.ask(place)
    assert before == pytest.approx(middle(frame)[0], abs=2)
    assert after == pytest.approx(middle(frame, 0.2)[0], abs=2)
    moved = np.abs(pixels(browser, "[data-role=frame]") - seen).max(-1) > 20
    columns = np.flatnonzero(moved.mean(0) > 0.1) / moved.shape[1]
    assert len(columns)
    assert columns.min() > 0.15
    assert columns.max() < 0.55


@pytest.mark.slow
def test_the_other_picture_of_a_pair_can_be_chosen(browser, page):
    browser.open(page, width=DESKTOP)
    assert browser.ask("document.querySelector('[data-role=left-tag]').textContent") == "photograph"
    browser.ask(
        "(() => { const s = document.querySelector('[data-role=left]');"
        "s.value = s.options[2].value; s.dispatchEvent(new Event('change')); })()"
    )
    tag = browser.ask("document.querySelector('[data-role=left-tag]').textContent")
    assert tag == "eikonal.weight=0.1 · rendered"


@pytest.mark.slow
def test_the_mesh_is_drawn_and_turns_when_it_is_dragged(browser, page):
    browser.open(page, width=DESKTOP)
    canvas = "[data-role=canvas]"
    box = browser.box(canvas)
    browser.drag(middle(box, 0.4), middle(box, 0.42))  # once touched, it does not turn by itself
    resting = pixels(browser, canvas)
    again = pixels(browser, canvas)
    assert len(np.unique(resting.reshape(-1, 3), axis=0)) > 30, "the canvas shows a shaded mesh"
    np.testing.assert_array_equal(resting, again)
    browser.drag(middle(box, 0.3, 0.4), middle(box, 0.6, 0.6))
    turned = pixels(browser, canvas)
    assert (np.abs(turned - resting).max(-1) > 8).mean() > 0.01
    browser.wheel(middle(box), -600)
    browser.wait(lambda: (pixels(browser, canvas) != turned).any())
    background = turned[2, 2]
    filled = [
        (np.abs(seen - background).max(-1) > 8).mean() for seen in (turned, pixels(browser, canvas))
    ]
    assert filled[1] > 1.2 * filled[0], "the wheel brings it nearer"


@pytest.mark.slow
def test_a_page_without_pictures_and_meshes_opens_as_well(browser, tmp_path):
    browser.complaints.clear()
    browser.open(write_report(pretend_ablation(tmp_path, seeds=1)), width=PHONE, touch=True)
    assert browser.complaints == []
    assert browser.ask("document.documentElement.scrollWidth") <= PHONE
