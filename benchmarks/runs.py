"""One training run for a benchmark: composed as train.py composes it, counted and scored."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: see nerfloss.kernels.threads

import platform
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from nerfloss.assembly.build import assemble
from nerfloss.assembly.environment_overrides import environment_overrides
from nerfloss.assembly.run import Run
from nerfloss.training.loggers.logger import Loggers

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("NERFLOSS_TEST_DATA", ROOT.parent / "shared" / "data"))
VIEW_METRICS = ("psnr", "psnr_masked", "ssim", "mask_iou", "normal_angle")
GEOMETRY = ("chamfer_l1", "point_to_surface", "mesh_normal_angle")


@dataclass
class Tally:
    """Points at which a field was asked for its values, and the rays they were for."""

    points: int = 0
    rays: int = 0

    @property
    def per_ray(self) -> float:
        """Evaluations per ray, renewals of caches included."""
        return self.points / max(self.rays, 1)


def configure(*overrides: str, mesh: int | None = 192) -> DictConfig:
    """Compose a run's configuration, with few metrics and no pictures."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", [*overrides, *environment_overrides()])
    OmegaConf.set_struct(cfg, False)
    cfg.eval.images = False
    cfg.eval.metrics = {name: cfg.eval.metrics[name] for name in VIEW_METRICS}
    cfg.eval.geometry = {name: cfg.eval.geometry[name] for name in GEOMETRY}
    if mesh is None:
        cfg.eval.mesh = None
    else:
        cfg.eval.mesh.resolution = mesh
    cfg.trainer.preview_every = cfg.trainer.checkpoint_every = 1_000_000
    return cfg


def prepare(cfg: DictConfig) -> tuple[Run, Tally]:
    """Build a run in a folder of its own, and count what its field is asked for."""
    run = assemble(cfg, Path(tempfile.mkdtemp(prefix="nerfloss-bench-")))
    tally = Tally()
    field: Any = run.model.field
    batches: Any = run.batches
    evaluate, draw = field.forward, batches.draw

    def counted(points: torch.Tensor, needs: Any) -> Any:
        tally.points += len(points)
        return evaluate(points, needs)

    def drawn(step: int, rays: int) -> Any:
        tally.rays += rays
        return draw(step, rays)

    field.forward, batches.draw = counted, drawn
    return run, tally


def train(run: Run) -> None:
    """Train as `Run.train` does, without loggers."""
    run.train(Loggers())


def machine() -> str:
    """What a reader must know about where a figure comes from."""
    git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, "
        f"load {os.getloadavg()[0]:.1f}, commit {commit or 'unknown'}, {time.strftime('%Y-%m-%d')}"
    )
