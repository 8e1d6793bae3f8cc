"""The names in train.yaml that say where a run writes.

No torch here: the programs need these before they know whether anything is to be run.
"""

from pathlib import Path

from omegaconf import OmegaConf

RESUMED = ".hydra/resumed"


def register_resolvers() -> None:
    """Teach OmegaConf the names in train.yaml that say where a run writes."""
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
