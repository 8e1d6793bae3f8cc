"""Whether torchrun began this process as one of several; what that means for Hydra.

Nothing is imported for it: the programs ask before anything heavy is loaded.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# What is not the first process writes nothing, and says nothing but errors.
SILENT = (
    "hydra.run.dir=.",
    "hydra.output_subdir=null",
    "hydra/job_logging=disabled",
    "hydra/hydra_logging=disabled",
)


def processes(environment: Mapping[str, str] = os.environ) -> int:
    """How many processes work on this run."""
    if "TORCHELASTIC_RUN_ID" not in environment:
        return 1
    return int(environment.get("WORLD_SIZE", "1"))


def first(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this is the process that writes; the only one without torchrun."""
    return processes(environment) == 1 or int(environment["RANK"]) == 0


def program(environment: Mapping[str, str] = os.environ) -> str:
    """How as many processes are begun again on this machine: what stands before the overrides."""
    if processes(environment) == 1:
        clone = Path(sys.argv[0]).name == "train.py"
        return "python train.py" if clone else "nerfloss train"
    return f"torchrun --nproc_per_node={environment['LOCAL_WORLD_SIZE']} train.py"


def overrides_of_this(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Overrides with which Hydra has to begin in this process: none in the first."""
    return [] if first(environment) else list(SILENT)


def refuse_sweeps(swept: bool, environment: Mapping[str, str] = os.environ) -> None:
    """Raise ValueError for a sweep by several processes."""
    if swept and processes(environment) > 1:
        raise ValueError(
            f"torchrun began {processes(environment)} processes, and -m asks each for a sweep: "
            "begin one run with torchrun, or the sweep without it (docs/sweeps.md)"
        )
