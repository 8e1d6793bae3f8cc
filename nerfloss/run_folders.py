"""The names in train.yaml that say where a run writes.

No torch here: the programs need these before they know whether anything is to be run.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

RESUMED = ".hydra/resumed"


def register_resolvers() -> None:
    """Teach OmegaConf the names in train.yaml that say where a run writes."""
    OmegaConf.register_new_resolver("swept", swept_name, replace=True)
    OmegaConf.register_new_resolver(
        "run_folder", lambda resume, new: _existing(resume) if resume else new, replace=True
    )
    OmegaConf.register_new_resolver(
        "config_folder",
        lambda resume: _existing(resume) and RESUMED if resume else ".hydra",
        replace=True,
    )


def _existing(run: str) -> str:
    # Checked here, because Hydra makes the folder that it is told to write to.
    if not Path(run).is_dir():
        raise FileNotFoundError(f"trainer.resume={run}: there is no such folder")
    return str(run)


def swept_name(overrides: Sequence[str], number: int) -> str:
    """Name a job of a sweep by its overrides that were swept; by its number if none was.

    ``overrides`` are the job's own, one value each. Those that were typed with one value are left
    out: they are the same for every job.
    """
    typed = OverridesParser.create().parse_overrides([word for word in sys.argv[1:] if "=" in word])
    fixed = {override.get_key_element() for override in typed if not override.is_sweep_override()}
    swept = [override for override in overrides if override.partition("=")[0] not in fixed]
    return ",".join(swept).replace("/", "_") or str(number)
