"""Environment variables of torchrun, and the Hydra overrides that they imply.

This module imports nothing heavy: programs read it before they load torch.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# Processes other than rank 0 write no files and log only errors.
SILENT = (
    "hydra.run.dir=.",
    "hydra.output_subdir=null",
    "hydra/job_logging=disabled",
    "hydra/hydra_logging=disabled",
)


def world_size(environment: Mapping[str, str] = os.environ) -> int:
    """Return the number of processes of this run; 1 without torchrun."""
    if "TORCHELASTIC_RUN_ID" not in environment:
        return 1
    return int(environment.get("WORLD_SIZE", "1"))


def is_main_process(environment: Mapping[str, str] = os.environ) -> bool:
    """Return True for rank 0, the process that writes files; True without torchrun."""
    return world_size(environment) == 1 or int(environment["RANK"]) == 0


def launch_command(environment: Mapping[str, str] = os.environ) -> str:
    """Return the command, without overrides, that starts as many processes on this machine."""
    if world_size(environment) == 1:
        in_clone = Path(sys.argv[0]).name == "train.py"
        return "python train.py" if in_clone else "nerfloss train"
    return f"torchrun --nproc_per_node={environment['LOCAL_WORLD_SIZE']} train.py"


def rank_overrides(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the Hydra overrides of this process: none for rank 0."""
    return [] if is_main_process(environment) else list(SILENT)


def refuse_sweeps(is_sweep: bool, environment: Mapping[str, str] = os.environ) -> None:
    """Raise ValueError for a sweep started by torchrun."""
    if is_sweep and world_size(environment) > 1:
        raise ValueError(
            f"torchrun started {world_size(environment)} processes, and -m makes each run the "
            "whole sweep: start one run with torchrun, or the sweep without it (docs/sweeps.md)"
        )
