"""train.py and eval.py in this process, with runs that are simulated: nothing is trained."""

import json
import runpy
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hydra.core.singleton import Singleton
from omegaconf import DictConfig

from nerfloss.cli.main import main
from nerfloss.evaluation.scores import Evaluation, Score

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Played:
    """A run that writes what a run writes. Its scores follow from its configuration."""

    cfg: DictConfig
    folder: Path
    play: "Play"
    begun: bool = False

    def load(self, path: Path, changed: Sequence[str] = ()) -> None:  # noqa: ARG002
        assert path.is_file()
        self.begun = True

    def train(self) -> bool:
        job = self.folder.name
        (self.play.resumed if self.begun else self.play.started).append(job)
        self.play.configs[job] = self.cfg
        if job in self.play.failing:
            raise ArithmeticError("a loss was not finite\nand this is why")
        (self.folder / "checkpoints").mkdir(exist_ok=True)
        (self.folder / "checkpoints" / "last.pt").touch()
        return job != self.play.stopped

    def evaluate(self, folder: Path | None = None) -> Evaluation:
        weight = float(self.cfg.loss.terms.get("eikonal", {}).get("weight", 0))
        values = {"psnr": 20 + 10 * weight + self.cfg.seed, "ssim": 0.5}
        values |= {"chamfer_l1": 0.01 + weight**2} if self.play.scored else {}
        found = Evaluation({name: Score(value) for name, value in values.items()})
        found.write(folder or self.folder)
        return found


@dataclass
class Play:
    """What runs did, by the names of their folders; and which are to fail or to be stopped."""

    folder: Path
    failing: set[str] = field(default_factory=set)
    stopped: str | None = None
    scored: bool = True
    started: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    configs: dict[str, DictConfig] = field(default_factory=dict)

    def forget(self) -> None:
        """As if a new process began: nothing has run in it, nothing fails or stops."""
        self.failing, self.stopped = set(), None
        self.started, self.resumed = [], []

    def record(self, job: str, file: str = "provenance.json") -> dict[str, Any]:
        return json.loads((self.folder / job / file).read_text())


def run(command: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run train.py, eval.py or ``nerfloss`` in this process; the exit status."""
    program, *words = command
    is_script = program.endswith(".py")
    path = str(ROOT / program) if is_script else program
    monkeypatch.setattr(sys, "argv", [path, *words])
    before = Singleton.get_state()
    try:
        if not is_script:
            return main(words)
        runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        Singleton.set_state(before)
    return 0
