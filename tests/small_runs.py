"""Runs small enough for a test: a few tiny views, a small field, a handful of steps."""

import csv
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from nerfloss.assembly.build import assemble
from nerfloss.assembly.config_files import conf_dir
from nerfloss.assembly.hydra_resolvers import register_resolvers
from nerfloss.assembly.run import Run
from nerfloss.training.callbacks.nonfinite_check import NonFiniteCheck

TINY = [
    "device=cpu",
    "trainer.max_steps=2",
    "trainer.batch_size.samples=512",
    "trainer.batch_size.rays=64",
    "trainer.batch_size.max_rays=128",
    "eval.mesh.resolution=32",
    "eval.points=2000",
    "eval.exact_points=200",
]
TINY_SCENE = [
    "dataset.size=24",
    "dataset.views=6",
    "dataset.test_views=2",
    "dataset.supersampling=1",
]
# Batches of two patches, as large as a Gaussian window of 11 needs.
TINY_PATCHES = [
    "batch=patch",
    "batch.height=12",
    "batch.width=12",
    "trainer.batch_size.rays=288",
    "trainer.batch_size.max_rays=432",
]
TINY_SDF = ["model.field.network.grid.log2_hashmap_size=10", "initialization=sphere"]
TINY_DENSITY = ["model.field.grid.log2_hashmap_size=10"]


def tiny(model: str = "neus", dataset: str = "analytic") -> list[str]:
    """Overrides that make a run with this model and kind of data tiny."""
    small_field = TINY_DENSITY if model == "nerf" else TINY_SDF
    return [*TINY, *(TINY_SCENE if dataset == "analytic" else []), *small_field]


def composed(*overrides: str, model: str = "neus", dataset: str = "analytic") -> DictConfig:
    """The configuration of a tiny run, with ``overrides`` on top."""
    register_resolvers()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("train", [*tiny(model, dataset), *overrides])


def assembled(folder: Path, *overrides: str, model: str = "neus", dataset: str = "analytic") -> Run:
    """A tiny run, ready to train."""
    return assemble(composed(*overrides, model=model, dataset=dataset), folder)


def untrained_run(folder: Path, *overrides: str, model: str = "neus") -> Path:
    """A run's folder with a checkpoint of the initial state: a sphere, for an SDF."""
    cfg = composed(*overrides, model=model)
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    OmegaConf.save(cfg, folder / ".hydra" / "config.yaml")
    run = assemble(cfg, folder)
    run.initialize()
    run.save()
    return folder


def nonfinite_check(run: Run) -> NonFiniteCheck:
    """The callback of a run that checks its losses and gradients."""
    return next(each for each in run.trainer.callbacks if isinstance(each, NonFiniteCheck))


def history(folder: Path) -> list[dict[str, str]]:
    """The rows that a run logged."""
    with open(folder / "history.csv") as file:
        return list(csv.DictReader(file))
