"""The commands of a wheel, in an empty folder, without the clone."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from small_runs import tiny

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel; skipped where hatchling, which builds it, is missing."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = ["-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([sys.executable, *build, str(ROOT)], check=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nerfloss", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_every_command_works_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    # Compiled kernels would be compiled anew in the wheel's folder, for half a minute.
    quick = [*tiny(), "eval.mesh=null", "eval.images=false", "kernels.backend=reference"]
    for words in (
        ["train", *quick, "hydra.run.dir=run"],
        ["eval", "run=run"],
        ["train", "trainer.resume=run", "trainer.max_steps=3"],
        ["report", "run"],
        ["report", "run", "--with-published", "dtu"],
        ["list"],
        ["terms", "eikonal"],
        ["quantities"],
        ["schedules"],
        ["completion", "zsh"],
        ["train", "--help"],
    ):
        done = run(installed, tmp_path, *words)
        assert done.returncode == 0, done.stdout + done.stderr
    done = run(installed, tmp_path, "train", "model=nerfz")
    assert done.returncode == 2
    assert "did you mean nerf" in done.stderr
