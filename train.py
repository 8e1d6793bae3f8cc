"""Train: python train.py [group=choice] [setting=value] ...; python train.py --help lists them."""

import os

# Two pools of threads that both spin take each other's cores; must be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import logging
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from nerfloss.run_folders import register_resolvers


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> Any:
    """Train, evaluate, and return the scores that ``objectives`` names, for sweepers."""
    try:
        return train(cfg)
    except Exception:
        # Hydra prints the error; what is to be found later belongs in the run's own log.
        logging.getLogger("nerfloss").error("the run failed", exc_info=True)
        raise


def train(cfg: DictConfig) -> Any:
    """Run, or go on with a run; None if it was interrupted.

    A job of a sweep whose folder says that it is finished only tells its scores again; one that was
    stopped goes on.
    """
    from nerfloss.provenance import STOPPED, recorded
    from nerfloss.sweeping.config import check_one_run, objectives_of, plain, write_ablation
    from nerfloss.sweeping.standing import checkpoint_of, is_finished, scores_of, told

    settings, config = HydraConfig.get(), plain(cfg)
    folder, swept = Path(settings.runtime.output_dir), settings.mode == RunMode.MULTIRUN
    check_one_run(config, swept=swept)
    if swept and is_finished(folder, config):
        logging.getLogger("nerfloss").info("finished before: %s", folder)
        return told(scores_of(folder) or {}, list(objectives_of(config)))

    # Here, so that --help and a mistyped setting answer at once: torch takes seconds.
    from nerfloss.assembly import assemble, saved_config
    from nerfloss.training.checkpoint import latest

    begun = checkpoint_of(folder) if swept else None
    if resume := cfg.trainer.resume:
        again = [o for o in settings.overrides.task if not o.startswith("trainer.resume")]
        cfg, begun = saved_config(Path(resume), again), latest(resume)
        config = plain(cfg)
    with recorded(folder, config, overrides=settings.overrides.task) as record:
        write_ablation(config, folder)
        run = assemble(cfg, folder)
        if begun is not None:
            run.load(begun)
        if run.train():
            return told(run.evaluate().values, list(objectives_of(config)))
        record["status"] = STOPPED
        if swept:
            raise KeyboardInterrupt  # else the sweep would go on with its next job
        return None


if __name__ == "__main__":
    register_resolvers()
    main()
