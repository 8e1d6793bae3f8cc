"""The program that torchrun starts in the tests: train every case, and resume one."""

import os
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "tests"))

from shared_cases import CASES, shared_run  # noqa: E402

from nerfloss.training.distributed.init_process_group import init_process_group  # noqa: E402


def main(folder: Path, halfway: Path) -> None:
    """Train the cases; evaluate the first; resume the first from the checkpoint of one process."""
    torch.set_num_threads(1)
    with init_process_group("cpu") as group:
        for case in CASES:
            run = shared_run(case, folder / case, group)
            assert run.train()
            if case == next(iter(CASES)):
                run.evaluate()
        run = shared_run(next(iter(CASES)), folder / "went on", group)
        run.load(halfway)
        assert run.train()


if __name__ == "__main__":
    os.environ["OMP_WAIT_POLICY"] = "passive"
    main(Path(sys.argv[1]), Path(sys.argv[2]))
