"""``nerfloss train``: train a model, evaluate it, and report its scores to a sweep."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from nerfloss.cli.hydra_entry import carry_out, run_hydra
from nerfloss.training.distributed import torchrun_env


def run(arguments: Sequence[str]) -> None:
    """Train with the configuration that ``arguments`` compose."""
    run_hydra(job, "train", arguments)


def job(cfg: DictConfig) -> Any:
    """Run one training job. See `train`."""
    return carry_out(train, cfg)


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
    torchrun_env.refuse_sweeps(swept)
    if swept and is_finished(folder, config):
        logging.getLogger("nerfloss").info("finished before: %s", folder)
        return told(scores_of(folder) or {}, list(objectives_of(config)))

    # Here, so that --help and a mistyped setting answer at once: torch takes seconds.
    from nerfloss.assembly.build import assemble
    from nerfloss.assembly.saved_config import saved_config
    from nerfloss.training.checkpoint import latest
    from nerfloss.training.distributed.init_process_group import meeting

    begun, same, asked = checkpoint_of(folder) if swept else None, False, settings.overrides.task
    if resume := cfg.trainer.resume:
        again = [o for o in asked if not o.startswith("trainer.resume")]
        cfg, begun, same = saved_config(Path(resume), again), latest(resume), not again
        config, cfg = plain(cfg), with_chunks_for_here(cfg)
    else:
        found = [o for o in settings.overrides.hydra if o.startswith("hydra.searchpath=")]
        cfg = fitted(cfg, folder, [*found, *asked], keep=torchrun_env.first())
    kept = recorded(folder, config, overrides=asked, hardware=cfg.get("hardware"), same=same)
    with kept if torchrun_env.first() else nullcontext({}) as record, meeting(cfg.device) as team:
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
