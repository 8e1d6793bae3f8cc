"""The expensive runs of several processes, made once for all tests."""

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from shared_cases import CASES, shared_run

from nerfloss.training.budget import Budget

SCRIPT = Path(__file__).with_name("rank_program.py")
FIRST = next(iter(CASES))


class EndsEarly(Budget):
    """A budget that is spent after five steps, whatever its schedules say."""

    def spent(self, step: int, seconds: float | int) -> bool:
        return step >= 5 or super().spent(step, seconds)


@pytest.fixture(scope="session")
def by_one(tmp_path_factory) -> Callable[[str], Path]:
    """The folder in which one process has trained a case."""
    root = tmp_path_factory.mktemp("by_one")

    @functools.cache
    def trained(case: str) -> Path:
        run = shared_run(case, root / case)
        assert run.train()
        if case == FIRST:
            run.evaluate()
        return root / case

    return trained


@pytest.fixture(scope="session")
def halfway(tmp_path_factory) -> Path:
    """The checkpoint of one process that stopped after five steps of the first case."""
    folder = tmp_path_factory.mktemp("halfway")
    run = shared_run(FIRST, folder)
    # The schedules stay, as with Ctrl-C.
    run.trainer.clock.budget = EndsEarly(**vars(run.trainer.clock.budget))
    assert run.train()
    assert run.trainer.step == 5
    return folder / "checkpoints" / "last.pt"


@pytest.fixture(scope="session")
def by_two(tmp_path_factory, halfway) -> Path:
    """The folder in which two processes have trained every case, over gloo."""
    folder = tmp_path_factory.mktemp("by_two")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [*launch, str(SCRIPT), str(folder), str(halfway)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder
