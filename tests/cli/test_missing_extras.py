"""A package that a command will need is asked for at its beginning, before anything is read."""

import importlib.util
import socket
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from small_runs import TINY, TINY_SCENE, TINY_SDF, untrained_run

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.cli.main import main
from nerfloss.data.synthetic.dataset import AnalyticDataset

Command = Callable[..., tuple[int, str, str]]
SETTINGS = [("viewer=on", "viser", "viewer"), ("eval.video=true", "imageio_ffmpeg", "video")]
NEED = ["viewer=on", "eval.video=true"]


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make a package look as if it were not installed, and others as if they were."""
    installed, find = {}, importlib.util.find_spec

    def found(name: str, package: str | None = None) -> object:
        return installed[name] if name in installed else find(name, package)

    def hide(package: str, there: tuple[str, ...] = ()) -> None:
        installed.update({**dict.fromkeys(there, ModuleSpec("there", None)), package: None})

    monkeypatch.setattr(importlib.util, "find_spec", found)
    return hide


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained with a viewer and writes a video."""
    return untrained_run(tmp_path_factory.mktemp("extras") / "run", *NEED)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a scene is read."""
    monkeypatch.setattr(AnalyticDataset, "load", lambda _: pytest.fail("the scene was read"))


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(("setting", "package", "extra"), SETTINGS)
def test_train_names_it_before_a_scene_is_read(command: Command, hide, setting, package, extra):
    hide(package)
    status, _, err = command("train", setting, *TINY, *TINY_SCENE, *TINY_SDF)
    assert status == 2
    assert f"pip install 'nerfloss[{extra}]'" in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(("package", "extra"), [each[1:] for each in SETTINGS])
def test_a_resumed_run_is_refused_as_well(command: Command, run: Path, hide, package, extra):
    hide(package)
    status, _, err = command("train", f"trainer.resume={run}", "viewer_port=0")
    assert status == 2
    assert f"pip install 'nerfloss[{extra}]'" in err


@pytest.mark.usefixtures("unread")
def test_an_evaluation_needs_the_video_and_no_viewer(command: Command, run: Path, hide):
    hide("viser")
    hide("imageio_ffmpeg")
    status, _, err = command("eval", f"run={run}", "device=cpu")
    assert status == 2
    assert "imageio-ffmpeg, which is not installed: pip install 'nerfloss[video]'" in err


def test_other_commands_need_nothing_that_the_training_needed(command: Command, run: Path, hide):
    hide("viser")
    hide("imageio_ffmpeg")
    words = ["--cameras", "cameras.json", "--device", "cpu"]
    status, _, err = command("export", str(run), *words)
    assert status == 0, err


def test_view_names_it_before_the_run_is_read(command: Command, run: Path, hide, monkeypatch):
    hide("viser")
    monkeypatch.setattr(OpenedRun, "run", property(lambda _: pytest.fail("was read")))
    status, _, err = command("view", str(run), "--port", "0")
    assert status == 2
    assert "pip install 'nerfloss[viewer]'" in err


@pytest.mark.usefixtures("unread")
def test_a_port_that_is_taken_is_named_before_a_scene_is_read(command: Command, run, monkeypatch):
    pytest.importorskip("viser", reason="needs the extra 'viewer'")
    pytest.importorskip("imageio_ffmpeg", reason="needs the extra 'video'")
    monkeypatch.setattr(OpenedRun, "run", property(lambda _: pytest.fail("was read")))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for words in (
            ["train", "viewer=on", f"viewer_port={port}", *TINY, *TINY_SCENE, *TINY_SDF],
            ["view", str(run), "--port", str(port)],
        ):
            status, _, err = command(*words)
            assert status == 2
            assert f"cannot listen at 127.0.0.1, port {port}" in err


def test_priors_names_it_before_the_scene_is_read(hide, monkeypatch, capsys):
    hide("transformers")
    monkeypatch.setattr(
        "nerfloss.cli.priors.scene_dataset", lambda *_: pytest.fail("the scene was read")
    )
    assert main(["priors", "scene", "--model", "transformers:x", "--kind", "depth"]) == 2
    assert "pip install 'nerfloss[priors]'" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["rembg", "onnxruntime"])
def test_capture_names_what_masks_need_before_photographs_are_read(hide, capsys, package):
    hide(package, there=("pycolmap", "rembg", "onnxruntime"))
    assert main(["capture", "nowhere", "-o", "scene", "--masks"]) == 2
    said = f"--masks needs {package}, which is not installed: pip install 'nerfloss[masks]'"
    assert said in capsys.readouterr().err


def test_report_names_it_before_runs_are_read(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(
        "nerfloss.experiments.report.report.find_run_folders", lambda _: pytest.fail("was read")
    )
    assert main(["report", "nowhere", "--html"]) == 2
    assert "pip install 'nerfloss[report]'" in capsys.readouterr().err
