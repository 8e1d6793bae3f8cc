"""Runs small enough for a test: a few tiny views, a small field, a handful of steps."""

from pathlib import Path

from hydra import compose, initialize_config_dir

from nerfloss.assembly import assemble, register_resolvers
from nerfloss.conf_files import conf_dir

TINY = [
    "device=cpu",
    "dataset.size=24",
    "dataset.views=6",
    "dataset.test_views=2",
    "dataset.supersampling=1",
    "trainer.pace.samples=512",
    "trainer.pace.rays=64",
    "trainer.pace.max_rays=128",
    "trainer.max_steps=2",
    "sampler=occupancy",
    "sampler.resolution=16",
    "model.field.network.grid.log2_table=10",
    "model.hull_start=false",
    "eval.mesh.resolution=32",
    "eval.points=2000",
    "eval.exact_points=200",
]


def composed(*overrides: str):
    """The configuration of a tiny run, with ``overrides`` on top."""
    register_resolvers()
    grid = "model.field.network.grid" if "model=nerf" not in overrides else "model.field.grid"
    tiny = [setting.replace("model.field.network.grid", grid) for setting in TINY]
    if any(override.startswith("sampler=") for override in overrides):
        tiny = [setting for setting in tiny if not setting.startswith("sampler")]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("train", [*tiny, *overrides])


def assembled(folder: Path, *overrides: str):
    """A tiny run, ready to train."""
    return assemble(composed(*overrides), folder)
