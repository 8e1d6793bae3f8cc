"""Runs that several processes share, each as large in all as one process's with twice the batch."""

from pathlib import Path

from small_runs import TINY_PATCHES, composed

from nerfloss.assembly.build import assemble
from nerfloss.assembly.run import Run
from nerfloss.training.distributed.process_group import SINGLE_PROCESS

# Terms that learn by themselves: discriminators, an attention, a threshold; one that remembers.
LEARNED = ("adversarial", "feature_matching", "learnable_chamfer", "spatial_bce", "info_nce")
INTERLEVEL = "+loss/term@loss.terms.interlevel=interlevel"
# An SDF's cache is renewed after the ten steps: it says by thresholds where samples lie, so that
# after it the last digit of a parameter can move a sample. (So does the hierarchical sampler.)
LATE = "sampler.refresh_every=100"
# By name: the model, its settings, and the rays of a step in all. Their number does not adapt: an
# odd one would not be twice a process's.
CASES: dict[str, tuple[str, list[str], int]] = {
    "neus with a balancer that looks at gradients": (
        "neus",
        ["loss=neus_full", "loss/balancer=gradnorm", "diagnostics=on", "diagnostics.every=5", LATE],
        128,
    ),
    "nerf with a balancer that remembers losses, a batch of 126 rays": (
        "nerf",
        ["loss=nerf_robust", "loss/balancer=normalized"],
        126,
    ),
    "volsdf, gradients projected, points drawn in space": (
        "volsdf",
        ["loss=volsdf", "sampler=uniform", "sampler.samples=16", "loss/balancer=pcgrad"],
        128,
    ),
    "pixels drawn by the errors of all rays": (
        "nerf",
        ["loss=nerf", "batch=error_guided", "batch.refresh_every=2"],
        128,
    ),
    "patches in neighbouring views, in turns, of a sample of the rays": (
        "neus",
        [
            "loss=photos_masked",
            *(f"loss.terms.patches.fn.{s}" for s in ("patch=5", "rays=16")),
            LATE,
        ],
        128,
    ),
    "a sampler and a balancer that learn": (
        "nerf",
        ["loss=nerf", "sampler=proposal", INTERLEVEL, "loss/balancer=uncertainty"],
        128,
    ),
    "discriminators and other terms that learn, over patches": (
        "neus",
        [
            *(f"+loss/term@loss.terms.{name}={name}" for name in LEARNED),
            "loss.terms.feature_matching.fn.mode=wasserstein",
            "+model/head=features",
            "dataset.scene=toys",
            # At their own weights their gradients' last digits are as large as those of colours.
            "loss.terms.adversarial.weight=0.1",
            "loss.terms.feature_matching.weight=0.1",
            # A threshold, too: a sample whose last digit crosses it loses its colour.
            "model.renderer.color_threshold=0",
            LATE,
            *TINY_PATCHES,
        ],
        576,
    ),
}
STEPS = 10
# The first steps of a run, of everything at once. Adam divides a gradient by its size: with the
# default eps, one that cancels to its last digit would move as far as any other.
QUICK = [f"trainer.max_steps={STEPS}", "trainer.optimizer.eps=1e-6"]
AT_ONCE = [f"model.optimizer.freeze_steps.{group}=0" for group in ("grid", "geometry", "sharpness")]


def shared_run(
    case: str, folder: Path, group=SINGLE_PROCESS, *, processes: int | None = None, more=()
) -> Run:
    """A run of a case, ready to train; ``processes`` of them make the same step."""
    model, overrides, rays = CASES[case]
    own = rays // 2 if group.size == 2 or processes == 2 else rays
    size = {"rays": own, "samples": 100 * own, "max_rays": own}
    settings = [f"trainer.batch_size.{name}={value}" for name, value in size.items()]
    settings += [] if model == "nerf" else AT_ONCE
    cfg = composed(f"model={model}", *QUICK, *overrides, *settings, *more, model=model)
    return assemble(cfg, folder, group)
