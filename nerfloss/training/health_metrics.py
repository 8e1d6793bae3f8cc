"""What one step shows of a run's health, read from the quantities that the step has made anyway."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


@torch.no_grad()
def vital_signs(quantities: Mapping[str, Any]) -> dict[str, float]:
    """Means over the rays of a step, by name; what cannot be told is left out.

    ``error`` is the mean squared error of the colours, beside it that of the best single colour
    (``constant_error``) and of the background alone (``background_error``) on the same rays.
    ``object`` rays are those on the mask (all, where there is none), ``empty`` rays those off it
    that show the background: ``object_sampled`` is the share of object rays with samples,
    ``object_opacity`` and ``empty_opacity`` are mean opacities, ``most_opaque`` is the largest.
    ``sdf_least`` and ``sdf_most`` are over all samples.
    """
    # Only what exists: looking up anything else would make it, and might ask the field again.
    made = {name: quantities[name] for name in set(quantities)}
    on, empty = _rays(made)
    means = {"object_sampled": _mean(made["occupied"].any(-1).float(), on)}
    if "opacity" in made:
        means["object_opacity"] = _mean(made["opacity"], on)
        means["empty_opacity"] = _mean(made["opacity"], empty)
        means["most_opaque"] = made["opacity"].max()
    if "rgb" in made and "target_rgb" in made:
        # Off the mask a photograph may show what the model is not meant to explain.
        means |= _errors(made, torch.maximum(on, empty))
    if "sdf" in made:
        padding, sdf = ~made["occupied"], made["sdf"]
        means["sdf_least"] = sdf.masked_fill(padding, float("inf")).min()
        means["sdf_most"] = sdf.masked_fill(padding, float("-inf")).max()
    if "sharpness" in made:
        means["sharpness"] = made["sharpness"]
    # One tensor, so that a GPU is waited for once.
    values = torch.stack([value.float().reshape(()) for value in means.values()]).tolist()
    return {name: v for name, v in zip(means, values, strict=True) if v == v}


def _rays(made: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Which rays are on the object and which see the background, as 0 and 1."""
    if "target_mask" not in made:
        on = torch.ones_like(made["origins"][:, 0])
        return on, torch.zeros_like(on)
    mask = made["target_mask"]
    off = mask < 0.05
    if "target_rgb" in made:
        off = off & ((made["target_rgb"] - made["background"]).abs().amax(-1) < 0.02)
    return (mask > 0.5).float(), off.float()


def _errors(made: Mapping[str, Any], counted: Tensor) -> dict[str, Tensor]:
    target = made["target_rgb"]
    share = (counted / counted.sum())[:, None]
    constant = (share * target).sum(0)
    guesses = {
        "error": made["rgb"],
        "constant_error": constant,
        "background_error": made["background"],
    }
    return {
        name: (share * (guess - target).square()).sum() / target.shape[-1]
        for name, guess in guesses.items()
    }


def _mean(values: Tensor, which: Tensor) -> Tensor:
    """Mean over the rays of ``which``; nan where there are none."""
    return (values * which).sum() / which.sum()
