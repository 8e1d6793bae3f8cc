"""Metrics of a training step: losses, PSNR and batch size."""

import torch

from nerfloss.training.step import Step


def step_metrics(step: Step) -> dict[str, float]:
    """Return the scalars of the loss report, the PSNR in dB where colours exist, and counts."""
    metrics, quantities = step.report.scalars(), step.quantities
    if "rgb" in set(quantities) and "target_rgb" in quantities:
        error = (quantities["rgb"] - quantities["target_rgb"]).square().mean().detach()
        metrics["train/psnr"] = float(-10 * torch.log10(error.clamp_min(1e-10)))
    occupied = quantities["occupied"]
    return {
        **metrics,
        "samples_per_ray": float(occupied.sum()) / len(occupied),
        "rays": float(step.inputs.rays),
    }
