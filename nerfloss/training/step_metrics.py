"""What is logged of a step: its losses, how well its colours fit, and what it looked at."""

from collections.abc import Mapping
from typing import Any

import torch

from nerfloss.recipe import LossReport


def scalars_of(report: LossReport, quantities: Mapping[str, Any]) -> dict[str, float]:
    """The report's scalars, PSNR where the step has made colours, and rays and samples."""
    scalars = report.scalars()
    if "rgb" in set(quantities) and "target_rgb" in quantities:
        error = (quantities["rgb"] - quantities["target_rgb"]).square().mean().detach()
        scalars["train/psnr"] = float(-10 * torch.log10(error.clamp_min(1e-10)))
    rays, occupied = len(quantities["origins"]), quantities["occupied"]
    return {**scalars, "samples_per_ray": float(occupied.sum()) / rays, "rays": float(rays)}
