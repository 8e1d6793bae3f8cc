"""OmegaConf resolvers for the output folders in train.yaml.

Imports no torch: the resolvers are registered before any configuration is composed.
"""

from pathlib import Path

from omegaconf import OmegaConf

RESUMED = ".hydra/resumed"


def register_resolvers() -> None:
    """Register ``run_folder`` and ``config_folder``, which train.yaml uses."""
    OmegaConf.register_new_resolver(
        "run_folder", lambda resume, new: _existing(resume) if resume else new, replace=True
    )
    OmegaConf.register_new_resolver(
        "config_folder",
        lambda resume: _existing(resume) and RESUMED if resume else ".hydra",
        replace=True,
    )


def _existing(run: str) -> str:
    # Checked here, because Hydra creates the output folder.
    if not Path(run).is_dir():
        raise FileNotFoundError(f"trainer.resume={run}: there is no such folder")
    return str(run)
