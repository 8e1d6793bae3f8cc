"""Sweepers for Hydra, which accepts classes of the package ``hydra_plugins`` only."""

from importlib.util import find_spec

from hydra.core.config_store import ConfigStore

from nerfloss.experiments.sweeps.grid_sweeper import Grid
from nerfloss.experiments.sweeps.optuna_sweeper import Search


class GridSweeper(Grid):
    """``hydra/sweeper=grid``."""


class OptunaSweeper(Search):
    """``hydra/sweeper=optuna``."""


if find_spec("hydra_plugins.hydra_joblib_launcher") is None:
    # Registered by name, so that the error names the package to install.
    ConfigStore.instance().store(
        group="hydra/launcher",
        name="joblib",
        node={"_target_": "hydra_plugins.hydra_joblib_launcher.JoblibLauncher", "n_jobs": -1},
        provider="nerfloss",
    )
