"""Health metrics of a training step, computed from the quantities that the step has made."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


@torch.no_grad()
def health_metrics(quantities: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics that the quantities allow, by name.

    - ``error``: mean squared error of the colours; ``constant_error``: that of the best single
      colour; ``background_error``: that of the background alone.
    - ``object_sampled``: fraction of object rays that have samples. Object rays are those on the
      mask, or all rays where there is no mask.
    - ``object_opacity``, ``empty_opacity``: mean opacity of object rays, and of rays off the mask
      that show the background; ``most_opaque``: the largest opacity.
    - ``sdf_least``, ``sdf_most``: extrema of the SDF over all samples.
    - ``sharpness``: as it is.
    """
    # Existing quantities only: looking up another would compute it.
    made = {name: quantities[name] for name in set(quantities)}
    on_object, empty = _ray_masks(made)
    means = {"object_sampled": _mean(made["occupied"].any(-1).float(), on_object)}
    if "opacity" in made:
        means["object_opacity"] = _mean(made["opacity"], on_object)
        means["empty_opacity"] = _mean(made["opacity"], empty)
        means["most_opaque"] = made["opacity"].max()
    if "rgb" in made and "target_rgb" in made:
        # Off the mask a photograph may show things that the model does not have to explain.
        means |= _errors(made, torch.maximum(on_object, empty))
    if "sdf" in made:
        padding, sdf = ~made["occupied"], made["sdf"]
        means["sdf_least"] = sdf.masked_fill(padding, float("inf")).min()
        means["sdf_most"] = sdf.masked_fill(padding, float("-inf")).max()
    if "sharpness" in made:
        means["sharpness"] = made["sharpness"]
    # One tensor: one synchronisation with a GPU.
    values = torch.stack([value.float().reshape(()) for value in means.values()]).tolist()
    return {name: v for name, v in zip(means, values, strict=True) if v == v}


def _ray_masks(made: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Return which rays are on the object, and which show the background, as 0 and 1."""
    if "target_mask" not in made:
        on_object = torch.ones_like(made["origins"][:, 0])
        return on_object, torch.zeros_like(on_object)
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


def _mean(values: Tensor, selected: Tensor) -> Tensor:
    """Return the mean over the selected rays; NaN if there are none."""
    return (values * selected).sum() / selected.sum()
