"""The viewer in a real browser: pictures arrive, modes switch, weights change, no errors."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from chromium import chromium, find_chromium
from panel_page import PanelPage
from small_runs import assembled, untrained_run

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.run import Run
from nerfloss.assembly.viewer.training_viewer import TrainingViewer
from nerfloss.assembly.viewer.view_run import view_run
from nerfloss.assembly.viewer.viewer_address import ViewerAddress
from nerfloss.data.camera_paths.path_file import read_path
from nerfloss.training.callbacks.interventions import Intervention, read_interventions

pytest.importorskip("viser", reason="the extra 'viewer' is missing")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine"),
]
SIZES = [(1280, 800), (400, 800)]


@pytest.fixture(scope="module")
def page() -> Iterator[PanelPage]:
    with chromium(find_chromium() or "") as browser:
        yield PanelPage(browser)


@contextmanager
def viewed(folder: Path) -> Iterator[str]:
    """Serve a run by a thread, and yield its address."""
    lines: list[str] = []
    stop = threading.Event()
    address = ViewerAddress(port=0)
    served = threading.Thread(
        target=view_run, args=(OpenedRun(folder, "cpu"), address, lines.append, stop)
    )
    served.start()
    end = time.monotonic() + 60
    while not lines and time.monotonic() < end:
        time.sleep(0.1)
    try:
        yield re.findall(r"http://\S+", lines[0])[0]
    finally:
        stop.set()
        served.join(timeout=60)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = untrained_run(tmp_path_factory.mktemp("run"), "dataset.points=100")
    with viewed(folder) as address:
        yield address


def opened(page: PanelPage, address: str, size: tuple[int, int]) -> None:
    page.open(address, size, lambda text: "step 0" in text)
    page.wait(lambda: page.scene().std() > 20)


@pytest.mark.parametrize("size", SIZES, ids=["1280", "400"])
def test_the_model_appears(
    page: PanelPage, served: str, size: tuple[int, int], tmp_path: Path
) -> None:
    opened(page, served, size)
    (tmp_path / f"{size[0]}.png").write_bytes(page.browser.picture())
    assert page.errors == []


def test_modes_switch_the_picture(page: PanelPage, served: str) -> None:
    opened(page, served, SIZES[0])
    page.choose("Pixels", "160")
    before = page.scene()
    for mode in ("depth", "normal", "opacity", "error", "loss: eikonal"):
        page.choose("Mode", mode)
        assert page.value("Mode") == mode
        page.wait(lambda: np.abs(page.scene() - before).mean() > 3)  # noqa: B023
        time.sleep(1.0)
        before = page.scene()
    page.wait(lambda: "loss: eikonal in" in page.text())
    assert page.errors == []


def test_a_dragged_camera_shows_another_side(page: PanelPage, served: str) -> None:
    opened(page, served, SIZES[0])
    time.sleep(1.0)
    before = page.scene()
    page.browser.drag((400, 400), (650, 430))
    page.wait(lambda: np.abs(page.scene() - before).mean() > 3)
    assert page.errors == []


def viewer_of(run: Run) -> TrainingViewer:
    return next(each for each in run.trainer.callbacks if isinstance(each, TrainingViewer))


def test_a_training_is_watched_paused_and_its_weight_changed(
    page: PanelPage, tmp_path: Path
) -> None:
    steps = ("trainer.max_steps=100000", "trainer.preview_every=null", "trainer.watchdog=null")
    run = assembled(tmp_path, *steps, "viewer=on", "viewer_port=0")
    viewer = viewer_of(run)
    training = threading.Thread(target=run.train)
    training.start()
    try:
        end = time.monotonic() + 90
        while run.trainer.step < 5 and time.monotonic() < end:
            time.sleep(0.2)
        address = f"http://127.0.0.1:{viewer.viewer.server.get_port()}"
        page.open(address, (1280, 1000), lambda text: re.search(r"step \d+", text))
        page.wait(lambda: page.scene().std() > 20)
        page.fill("eikonal", "0.5")
        page.press("Apply weights")
        page.wait(lambda: "eikonal 0.1 → 0.5" in page.text())
        (made,) = read_interventions(tmp_path)
        assert made == Intervention(made.step, "eikonal", 0.1, 0.5)
        assert run.recipe.terms["eikonal"].weight == 0.5
        page.press("Pause")
        page.wait(lambda: "Go on" in page.text())
        page.unfold("Camera path")
        page.wait(lambda: "Save path" in page.text())
        assert "Render video" not in page.text(), "the training would wait for it"
        time.sleep(2.0)
        stopped_at = run.trainer.step
        time.sleep(2.0)
        assert run.trainer.step == stopped_at
        page.press("Go on")
        page.wait(lambda: run.trainer.step > stopped_at)
        (tmp_path / "training.png").write_bytes(page.browser.picture())
        assert page.errors == []
    finally:
        viewer.panel.paused = False
        run.trainer._signals.reason = "the test"
        training.join(timeout=60)
    assert not training.is_alive()


def test_key_frames_are_saved_as_a_path_and_rendered(page: PanelPage, tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg", reason="the extra 'video' is missing")
    with viewed(untrained_run(tmp_path)) as address:
        opened(page, address, SIZES[0])
        page.unfold("Camera path")
        page.press("Add key frame")
        page.browser.drag((400, 400), (600, 430))
        time.sleep(1.0)
        page.press("Add key frame")
        page.wait(lambda: page.value("Key frame") == "key 2")
        page.fill("Name", "around")
        page.press("Save path")
        page.wait(lambda: "around.json" in page.text())
        assert (tmp_path / "camera_paths" / "around.json").is_file()
        saved = read_path(tmp_path / "camera_paths" / "around.json")
        page.choose("Pixels", "160")
        page.fill("Seconds", "0.2")
        page.press("Render video")
        page.wait(lambda: "rgb.mp4" in page.text())
        folder = tmp_path / "renders" / "around"
        assert len(list((folder / "frames").rglob("*.png"))) == 6
        assert (folder / "rgb.mp4").stat().st_size > 500
        rendered = read_path(folder / "camera_path.json")
        np.testing.assert_allclose(rendered.poses[[0, -1]], saved.poses[[0, -1]], atol=1e-4)
        page.fill("Name", "../outside")
        page.press("Save path")
        page.wait(lambda: "is no name of a path" in page.text())
        assert page.errors == []
