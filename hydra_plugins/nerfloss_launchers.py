"""Launchers for Hydra, which accepts classes of the package ``hydra_plugins`` only."""

from nerfloss.experiments.launchers import ray as on_ray
from nerfloss.experiments.launchers import submitit as on_submitit


class RayLauncher(on_ray.RayLauncher):
    """``hydra/launcher=ray``."""


class SubmititLauncher(on_submitit.SubmititLauncher):
    """``hydra/launcher=submitit``."""
