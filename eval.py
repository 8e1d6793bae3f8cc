"""Evaluate: python eval.py run=<folder of a run>, or checkpoint=<file> [eval.setting=value] ..."""

import os

# Two pools of threads that both spin take each other's cores; must be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from nerfloss.training.distributed import torchrun_env as launched


@hydra.main(version_base="1.3", config_path="conf", config_name="eval")
def main(cfg: DictConfig) -> float | None:
    """Score a checkpoint by the config it was trained with; results go to <run>/eval."""
    if (cfg.run is None) == (cfg.checkpoint is None):
        raise SystemExit("eval.py needs run=<folder> or checkpoint=<file>, one of the two")
    # Here, so that --help and a mistyped setting answer at once: torch takes seconds.
    from nerfloss.assembly.build import assemble, device_of, saved_config
    from nerfloss.assembly.checkpoint_portability import loadable
    from nerfloss.assembly.hardware_presets import with_chunks_for_here
    from nerfloss.assembly.run import main_score
    from nerfloss.training.checkpoint import latest
    from nerfloss.training.distributed.init_process_group import meeting

    checkpoint = latest(cfg.run or cfg.checkpoint)
    folder = (
        checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent
    )
    own = ("run=", "checkpoint=", "device=")
    asked = [o for o in HydraConfig.get().overrides.task if not o.startswith(own)]
    saved = with_chunks_for_here(saved_config(folder, [*asked, f"device={cfg.device}"]))
    with meeting(cfg.device) as team:
        run = assemble(loadable(saved, device_of(cfg.device)), folder, team)
        run.load(checkpoint)
        return main_score(run.evaluate(folder / "eval"))


if __name__ == "__main__":
    sys.argv += launched.overrides_of_this()
    main()
