"""Field values at the samples of non-zero length, packed: one row per sample."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.quantities.resolve import Rule


@dataclass(frozen=True)
class Packed:
    """``values`` at the samples with flat, ascending ``index`` in ``shape`` (rays samples).

    ``rules`` unpack values along rays on demand; `at` selects rows for a subset of the samples,
    e.g. for colours. ``index`` is None if the field was not evaluated.
    """

    index: Int[Tensor, "kept"] | None
    shape: torch.Size
    values: Mapping[str, Tensor]

    def rules(self) -> dict[str, Rule]:
        """Return a rule per value that unpacks it along rays, with 0 for samples of zero length."""
        return {
            name: Rule((), partial(self._unpacked, name), of_samples=True) for name in self.values
        }

    def at(self, samples: Int[Tensor, "some"], names: Collection[str]) -> dict[str, Tensor]:
        """Return the named values that are available at ``samples``, a subset of ``index``."""
        available = [name for name in names if name in self.values]
        if self.index is None or not available:
            return {}
        rows = samples
        if samples is self.index:
            return {name: self.values[name] for name in available}
        if len(self.index) < self.shape.numel():
            rows = torch.searchsorted(self.index, samples)
        return {name: select(self.values[name], rows) for name in available}

    def _unpacked(self, name: str) -> Float[Tensor, "rays samples *channels"]:
        assert self.index is not None
        return unpack(self.values[name], self.index, self.shape)


def select(
    rows: Float[Tensor, "rows *channels"], index: Int[Tensor, "kept"]
) -> Float[Tensor, "kept *channels"]:
    """Return rows by an ascending index without repetition; ``rows`` itself if it selects all."""
    if len(index) == len(rows):
        return rows
    # Column-major outputs of kernels stay column-major, which their backward pass expects.
    if rows.ndim == 2 and not rows.is_contiguous():
        return rows.t().index_select(1, index).t()
    return rows.index_select(0, index)


def unpack(
    values: Float[Tensor, "kept *channels"], index: Int[Tensor, "kept"], shape: torch.Size
) -> Float[Tensor, "rays samples *channels"]:
    """Scatter packed values to their samples, with 0 elsewhere."""
    channels = values.shape[1:]
    if len(index) == shape.numel():
        return values.reshape(*shape, *channels)
    flat = values.new_zeros(shape.numel(), *channels)
    return flat.index_copy(0, index, values).reshape(*shape, *channels)


def select_samples(
    index: Int[Tensor, "kept"], shape: torch.Size, values: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return values at samples given by a flat index; values per ray are repeated."""
    ray = index // shape[1]
    return {
        name: value.index_select(0, ray) if value.ndim == 2 else select(value.flatten(0, 1), index)
        for name, value in values.items()
    }
