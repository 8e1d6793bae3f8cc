"""Selection by a term's ``where``: entries of weight 0 enter neither the mean nor its gradient."""

import math
from collections.abc import Sequence
from itertools import takewhile

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.quantities.vocabulary import VOCABULARY

PIXELS = ["patches", "height", "width"]


def weighted_mean(errors: Float[Tensor, "*shape"], keep: Tensor) -> Float[Tensor, ""]:
    """Return the mean of ``errors`` weighted by ``keep``: ``sum(keep e) / sum(keep)``.

    ``keep`` (a mask, or non-negative weights) has the leading axes of ``errors`` and is broadcast
    over the trailing ones. Where it sums to 0, the mean and its gradient are 0. No gradient flows
    into ``keep``: the selection is not optimized. Raises ValueError where the axes do not match.
    """
    if keep.shape != errors.shape[: keep.ndim]:
        raise ValueError(
            f"'where' has shape {tuple(keep.shape)}, which are not the leading axes of the term's "
            f"values {tuple(errors.shape)}: choose a quantity with one value per ray or per sample"
        )
    repeats = errors.numel() / max(keep.numel(), 1)
    keep = keep.detach().reshape(keep.shape + (1,) * (errors.ndim - keep.ndim))
    # Multiplying by a weight of 0 would keep a NaN; `where` drops it.
    if keep.dtype == torch.bool:
        kept = torch.where(keep, errors, 0.0)
    else:
        keep = keep.to(errors.dtype)
        kept = torch.where(keep > 0, errors * keep, 0.0)
    # The floor only makes 0 / 0 a 0: where nothing is kept, the sum above is 0 already.
    return kept.sum() / (keep.sum() * repeats).clamp_min(1e-12)


def zero_unselected_non_finite(
    value: Float[Tensor, "*shape"], quantity: str, keep: Tensor, where: str
) -> Float[Tensor, "*shape"]:
    """Return ``value`` with 0 in place of the non-finite entries that ``keep`` does not select.

    ``quantity`` and ``where`` are the names of ``value`` and ``keep``: they say which axes the two
    share. Without a shared axis every entry counts as selected. A replaced entry has gradient 0.
    The masked mean alone does not suffice: its backward pass multiplies 0 by the NaN in the term's
    derivative. 0 is what observed quantities hold where they are unknown, and a value at which
    every term has to be finite.
    """
    # On a CPU a test skips an autograd node, without which gradients are summed in the same order,
    # to the last digit, as without a selection.
    if not _test_synchronises(value) and _sum_is_finite(value):
        return value
    selected = _selected_entries(value, quantity, keep, where)
    return value if selected is None else torch.where(value.isfinite() | selected, value, 0.0)


def _test_synchronises(value: Tensor) -> bool:
    """Return whether the host waits for the device when it reads a result about ``value``."""
    return value.device.type != "cpu"


def _sum_is_finite(value: Tensor) -> bool:
    """Return True only if all entries are finite: one that is not makes the sum so, too.

    A sum that overflows is only taken for the other case. A seventh of the time of testing each.
    """
    return math.isfinite(value.detach().sum().item())


def _selected_entries(value: Tensor, quantity: str, keep: Tensor, where: str) -> Tensor | None:
    """Return which entries of ``value`` are selected, broadcastable to it; None for no relation."""
    axes, keep_axes = _axis_names(quantity), _axis_names(where)
    selected = keep.detach() > 0
    pixels = value.shape[:3]
    if axes[:3] == PIXELS and keep_axes[:1] == ["rays"] and keep.shape[0] == pixels.numel():
        # The pixels of patches are the rays, in row-major order.
        selected = selected.reshape(*pixels, *keep.shape[1:])
        keep_axes = [*PIXELS, *keep_axes[1:]]
    shared = _common_prefix(value.shape, selected.shape)
    if axes and keep_axes:
        # Equal sizes may be a coincidence: three samples are not three colour channels.
        shared = min(shared, _common_prefix(axes, keep_axes))
    if selected.ndim and not shared:
        return None
    if selected.ndim > shared:
        selected = selected.flatten(shared).any(-1)
    return selected.reshape(selected.shape + (1,) * (value.ndim - selected.ndim))


def _axis_names(quantity: str) -> list[str]:
    """Return the names of the axes; none for a quantity outside of the vocabulary."""
    return VOCABULARY[quantity].shape.split() if quantity in VOCABULARY else []


def _common_prefix(one: Sequence[object], other: Sequence[object]) -> int:
    """Return how many leading items are equal."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
