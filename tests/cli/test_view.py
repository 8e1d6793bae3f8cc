"""``nerfloss view``: one line with the address, and mistakes without a traceback."""

import sys
import threading
from pathlib import Path

import pytest
from small_runs import untrained_run

import nerfloss.assembly.viewer.view_run as viewing
from nerfloss.cli.main import main

pytest.importorskip("viser", reason="the extra 'viewer' is missing")
VIEW_RUN = viewing.view_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained_run(tmp_path_factory.mktemp("view") / "run")


@pytest.fixture(autouse=True)
def ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    stop.set()
    monkeypatch.setattr(viewing, "view_run", lambda *given: VIEW_RUN(*given, stop))


def view(*words: str) -> int:
    return main(["view", *words, "--device", "cpu"])


def test_the_address_is_said_in_one_line(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert view(str(folder), "--port", "0") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "http://127.0.0.1:" in line
    assert "this machine only" in line
    assert "token" not in line


def test_a_wider_host_gets_a_token(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert view(str(folder), "--port", "0", "--host", "0.0.0.0") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "/?token=" in line
    assert "not encrypted" in line


def test_mistakes_are_messages(folder: Path, capsys: pytest.CaptureFixture) -> None:
    for words, said in {
        ("nowhere",): "nowhere is no run",
        (str(folder), "--port", "70000"): "port 70000 does not exist",
        (str(folder), "--token", "short"): "at least 8 characters",
        (str(folder), "--host", "nowhere.invalid"): "cannot listen at nowhere.invalid",
    }.items():
        assert view(*words) == 2
        err = " ".join(capsys.readouterr().err.split())
        assert said in err
        assert "Traceback" not in err


def test_without_the_extra_it_is_named(
    folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    assert view(str(folder), "--port", "0") == 2
    assert "the extra 'viewer': pip install 'nerfloss[viewer]'" in capsys.readouterr().err
