"""Train: python train.py [group=choice] [setting=value] ...; python train.py --help lists them.

On several GPUs: torchrun --nproc_per_node=4 train.py ... (docs/many_gpus.md).
"""

import os

# Two pools of threads that both spin take each other's cores; must be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import logging
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from nerfloss.assembly.hydra_resolvers import register_resolvers
from nerfloss.training.distributed import torchrun_env as launched


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
    from nerfloss.assembly.hardware_presets import fitted, with_chunks_for_here
    from nerfloss.assembly.provenance import STOPPED, recorded
    from nerfloss.assembly.sweep_config import (
        check_one_run,
        objectives_of,
        plain,
        write_ablation,
    )
    from nerfloss.experiments.sweeps.job_status import checkpoint_of, is_finished, scores_of, told

    settings, config = HydraConfig.get(), plain(cfg)
    folder, swept = Path(settings.runtime.output_dir), settings.mode == RunMode.MULTIRUN
    check_one_run(config, swept=swept)
    launched.refuse_sweeps(swept)
    if swept and is_finished(folder, config):
        logging.getLogger("nerfloss").info("finished before: %s", folder)
        return told(scores_of(folder) or {}, list(objectives_of(config)))

    # Here, so that --help and a mistyped setting answer at once: torch takes seconds.
    from nerfloss.assembly.build import assemble, saved_config
    from nerfloss.training.checkpoint import latest
    from nerfloss.training.distributed.init_process_group import meeting

    begun, same, asked = checkpoint_of(folder) if swept else None, False, settings.overrides.task
    if resume := cfg.trainer.resume:
        again = [o for o in asked if not o.startswith("trainer.resume")]
        cfg, begun, same = saved_config(Path(resume), again), latest(resume), not again
        config, cfg = plain(cfg), with_chunks_for_here(cfg)
    else:
        found = [o for o in settings.overrides.hydra if o.startswith("hydra.searchpath=")]
        cfg = fitted(cfg, folder, [*found, *asked], keep=launched.first())
    kept = recorded(folder, config, overrides=asked, hardware=cfg.get("hardware"), same=same)
    with kept if launched.first() else nullcontext({}) as record, meeting(cfg.device) as team:
        record["processes"], folder = team.size, team.same(folder)
        if team.first:
            write_ablation(config, folder)
        run = assemble(cfg, folder, team)
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
    sys.argv += launched.overrides_of_this()
    main()
