"""Buttons of camera paths: what they write into the run's folder, and what they say."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small_runs import untrained_run

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.rendering.run_video import video_renderer
from nerfloss.assembly.viewer.access_rule import AccessRule
from nerfloss.assembly.viewer.path_panel import PathPanel
from nerfloss.assembly.viewer.progressive_rendering import ViewPoint
from nerfloss.assembly.viewer.server import start_server, stop_server
from nerfloss.assembly.viewer.shown_model import ShownParts
from nerfloss.assembly.viewer.viewer import Viewer
from nerfloss.data.camera_paths.look_at import look_at
from nerfloss.data.camera_paths.path_file import read_path

pytest.importorskip("viser", reason="the extra 'viewer' is missing")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> OpenedRun:
    return OpenedRun(untrained_run(tmp_path_factory.mktemp("run")), "cpu")


@pytest.fixture
def viewer(opened: OpenedRun) -> Iterator[Viewer]:
    run = opened.run
    at = vars(run.trainer.schedule)
    shown = ShownParts(run.model, run.recipe, run.scene, run.evaluator, given={}).at(at)
    server = start_server(AccessRule("127.0.0.1"), 0, "test")
    yield Viewer(server, lambda: shown, chunk=4096, sharp=160)
    stop_server(server)


def panel_of(viewer: Viewer, folder: Path, *, renderer: Any) -> PathPanel:
    """A panel with two key frames and a path of six frames of 16 pixels."""
    panel = PathPanel(viewer, folder, renderer)
    places = np.array([[3.0, 0, 0], [0, 3, 0]])
    poses = look_at(places, np.zeros((2, 3)), np.array([0.0, 0, 1]))
    panel.keys.views += [ViewPoint(pose, 40.0, 1.5) for pose in poses]
    panel._seconds.value, panel._name.value = 0.2, "around"
    viewer.display.sharp = 16
    return panel


def buttons(viewer: Viewer) -> dict[str, Any]:
    """The buttons of a panel by their labels."""
    handles = viewer.server.gui._gui_input_handle_from_uuid.values()
    return {handle.label: handle for handle in handles if hasattr(handle, "on_click")}


def click(viewer: Viewer, label: str) -> None:
    """Call what a click on a button calls."""
    for callback in buttons(viewer)[label]._impl.update_cb:
        callback(SimpleNamespace(client=None))


def test_a_click_on_render_video_writes_the_path_and_the_video(opened, viewer, tmp_path):
    pytest.importorskip("imageio_ffmpeg", reason="the extra 'video' is missing")
    run = opened.run
    at = vars(run.trainer.schedule)
    renderer = lambda: video_renderer(run.model, at, run.scene, run.evaluator)  # noqa: E731
    panel = panel_of(viewer, tmp_path, renderer=renderer)
    viewer.display.mode = "depth"
    click(viewer, "Render video")
    assert panel._note.content == "the video begins"
    assert not (tmp_path / "renders").exists(), "the server's thread renders nothing"
    panel.work()
    assert (tmp_path / "renders" / "around" / "depth.mp4").stat().st_size > 500
    assert panel._note.content.startswith("wrote ")
    assert len(read_path(tmp_path / "camera_paths" / "around.json")) == 6


def test_a_click_on_save_path_writes_a_path_that_render_reads(viewer, tmp_path):
    panel = panel_of(viewer, tmp_path, renderer=None)
    click(viewer, "Save path")
    path = tmp_path / "camera_paths" / "around.json"
    assert panel._note.content == f"saved {path}: nerfloss render {tmp_path} --path {path}"
    assert len(read_path(path)) == 6


def test_the_panel_of_a_training_renders_no_video(viewer, tmp_path):
    panel_of(viewer, tmp_path, renderer=None)
    assert "Save path" in buttons(viewer)
    assert "Render video" not in buttons(viewer)


def test_what_cannot_be_written_is_said(viewer, tmp_path):
    panel = panel_of(viewer, tmp_path, renderer=None)
    panel._name.value = "../outside"
    click(viewer, "Save path")
    assert "is no name of a path" in panel._note.content
    assert list(tmp_path.iterdir()) == []
