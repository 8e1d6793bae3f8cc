"""Sweeps of simulated runs: the tests are about which of them run."""

from collections.abc import Callable
from pathlib import Path

import pytest
from simulated_runs import Play, Played, run

from nerfloss.assembly import build as assembly


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Every run of this test is played, and sweeps go to one folder."""
    found = Play(tmp_path / "sweep")
    monkeypatch.setattr(assembly, "assemble", lambda cfg, folder, _team: Played(cfg, folder, found))
    return found


@pytest.fixture
def sweep(play: Play, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """``python train.py -m <words>`` into the folder of the play; its exit code."""

    def program(*words: str, many: bool = True) -> int:
        where = [f"hydra.sweep.dir={play.folder}"] if many else [f"hydra.run.dir={play.folder}"]
        return run(["train.py", *(["-m"] if many else []), *words, *where], monkeypatch)

    return program
