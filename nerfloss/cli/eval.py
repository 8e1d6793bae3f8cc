"""``nerfloss eval``: evaluate a trained model by the configuration that it was trained with."""

from collections.abc import Sequence

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from nerfloss.cli.hydra_entry import carry_out, run_hydra

OWN = ("run", "checkpoint", "device", "eval", "hydra")


def run(arguments: Sequence[str]) -> None:
    """Evaluate the run or the checkpoint that ``arguments`` name."""
    run_hydra(job, "eval", [_added(word) for word in arguments])


def job(cfg: DictConfig) -> float | None:
    """Run one evaluation. See `evaluate`."""
    return carry_out(evaluate, cfg)


def evaluate(cfg: DictConfig) -> float | None:
    """Score a checkpoint, write the results to <run>/eval, and return the main score.

    Raises ValueError for settings that name no run, or that an evaluation cannot change.
    """
    if (cfg.run is None) == (cfg.checkpoint is None):
        raise ValueError("eval needs run=<folder> or checkpoint=<file>, one of the two")
    from nerfloss.assembly.saved_config import saved_config, settings_of_evaluation

    changed = settings_of_evaluation(HydraConfig.get().overrides.task)
    # Imported here: --help and refused settings must not wait for torch.
    from nerfloss.assembly.build import assemble, device_of
    from nerfloss.assembly.checkpoint_portability import loadable
    from nerfloss.assembly.hardware_presets import with_chunks_for_here
    from nerfloss.assembly.preflight_checks import check_video
    from nerfloss.training.checkpoint import latest
    from nerfloss.training.distributed.init_process_group import init_process_group

    checkpoint = latest(cfg.run or cfg.checkpoint)
    folder = (
        checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent
    )
    saved = with_chunks_for_here(saved_config(folder, [*changed, f"device={cfg.device}"]))
    check_video(saved)
    with init_process_group(cfg.device) as group:
        run = assemble(loadable(saved, device_of(cfg.device)), folder, group)
        run.load(checkpoint)
        # The score for a sweeper that optimizes one.
        return run.evaluate(folder / "eval").values.get("psnr")


def _added(word: str) -> str:
    """Return an override of the run's own settings as one that adds a key: eval.yaml has none.

    Which of them exist, and can be changed, is known once the run's configuration is read.
    """
    key, equals, _ = word.partition("=")
    first = key.replace("/", ".").partition(".")[0]
    own = not equals or key[:1] in "-+~" or first in OWN or "@" in key
    return word if own else f"+{word}"
