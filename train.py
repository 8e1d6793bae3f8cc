"""Train: python train.py [group=choice] [setting=value] ...; python train.py --help lists them."""

import os

# Two pools of threads that both spin take each other's cores; must be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import logging
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from nerfloss.run_folders import register_resolvers


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """Train, evaluate, and return the PSNR of the views judged, for sweepers that optimise it."""
    try:
        return train(cfg)
    except Exception:
        # Hydra prints the error; what is to be found later belongs in the run's own log.
        logging.getLogger("nerfloss").error("the run failed", exc_info=True)
        raise


def train(cfg: DictConfig) -> float | None:
    """Run, or go on with a run; None if it was interrupted."""
    # Here, so that --help and a mistyped setting answer at once: torch takes seconds.
    from nerfloss.assembly import assemble, saved_config
    from nerfloss.run import main_score
    from nerfloss.training.checkpoint import latest

    hydra_cfg = HydraConfig.get()
    resume = cfg.trainer.resume
    if resume:
        again = [o for o in hydra_cfg.overrides.task if not o.startswith("trainer.resume")]
        cfg = saved_config(Path(resume), again)
    run = assemble(cfg, Path(hydra_cfg.runtime.output_dir))
    if resume:
        run.load(latest(resume))
    if run.train():
        return main_score(run.evaluate())
    if hydra_cfg.mode == RunMode.MULTIRUN:
        raise KeyboardInterrupt  # else the sweep would go on with its next job
    return None


if __name__ == "__main__":
    register_resolvers()
    main()
