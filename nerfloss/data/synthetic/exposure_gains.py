"""Exposure that differs from view to view: the colours of each times a gain."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.views import Views


def check_exposure_gains(gains: Any) -> None:
    """Raise ValueError unless these are the lowest and the highest gain, or None."""
    if gains is None:
        return
    numbers = isinstance(gains, Sequence) and all(isinstance(each, int | float) for each in gains)
    if not numbers or len(gains) != 2 or not 0 < gains[0] <= gains[1]:
        raise ValueError(
            f"dataset.exposure_gains={gains} must be the lowest and the highest gain, both "
            f"positive, as in [0.7,1.3]; or null"
        )


def exposure_gains(low: float, high: float, views: int, seed: int) -> Float[Tensor, "views"]:
    """Return gains evenly spaced from ``low`` to ``high``, in random order.

    Their mean is the middle of the two for any number of views and any seed.
    """
    order = torch.randperm(views, generator=torch.Generator().manual_seed(seed))
    return (low + (high - low) * (torch.arange(views) + 0.5) / views)[order]


def with_exposure_gains(views: Views, gains: Float[Tensor, "views"]) -> Views:
    """Return views with the colours of each times its gain; above 1 they saturate.

    The colour is that of the object: a background is put behind it afterwards, as it is.
    """
    rgb = torch.empty_like(views.rgb)
    for image, color, gain in zip(rgb, views.rgb, gains.tolist(), strict=True):
        image.copy_((gain * color.float()).round_().clamp_max_(255.0))
    return replace(views, rgb=rgb)
