"""Every benchmark program runs and prints its table, as small as it can be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_runs import TINY_SCENE

from nerfloss.assembly.environment_overrides import VARIABLE

SMALL = {
    "evaluation.py": "--steps 4 --size 16 --mesh 32",
    "threads.py": "--models nerf --turns 1",
    "step.py": "--models nerf --steps 4",
    "hash_grid.py": "--tables 8 --points 256 --levels 2 --rounds 1",
    "networks.py": "--points 256",
    "scale.py": "--sweeps levels --steps 2",
    "quality.py": "--models neus --clock steps --budgets 4",
    "collapse.py": "--seeds 1 --steps 4 --jobs 1 --scenes craters --recipes neus_mask",
    "diagnostics.py": "--steps 4",
}


@pytest.mark.slow
@pytest.mark.parametrize("program", SMALL)
def test_it_runs_and_prints_a_table(program: str, repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, repository / "benchmarks" / program, *SMALL[program].split()]
    environment = os.environ | {"COLUMNS": "200", VARIABLE: " ".join(TINY_SCENE)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert any(character.isdigit() for character in done.stdout), done.stdout
