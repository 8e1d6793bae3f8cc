"""What a field found at the samples that have length, one row each, and where these lie on rays."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.quantities.resolve import Rule


@dataclass(frozen=True)
class Packed:
    """Rows of ``values`` belong to the samples ``index`` (ascending) of ``shape``, rays samples.

    They are laid out along rays where somebody asks for that; what only few samples are asked for,
    as colours do, is taken from the rows. ``index`` is None where nothing was evaluated.
    """

    index: Int[Tensor, "kept"] | None
    shape: torch.Size
    values: Mapping[str, Tensor]

    def rules(self) -> dict[str, Rule]:
        """How each of the values is laid out along rays, 0 where a sample has no length."""
        return {
            name: Rule((), partial(self._laid_out, name), of_samples=True) for name in self.values
        }

    def at(self, samples: Int[Tensor, "some"], names: Collection[str]) -> dict[str, Tensor]:
        """Those of the named values that are here, at samples out of ``index``."""
        here = [name for name in names if name in self.values]
        if self.index is None or not here:
            return {}
        rows = samples
        if samples is self.index:
            return {name: self.values[name] for name in here}
        if len(self.index) < self.shape.numel():
            rows = torch.searchsorted(self.index, samples)
        return {name: select(self.values[name], rows) for name in here}

    def _laid_out(self, name: str) -> Float[Tensor, "rays samples *channels"]:
        assert self.index is not None
        return spread(self.values[name], self.index, self.shape)


def select(
    rows: Float[Tensor, "rows *channels"], index: Int[Tensor, "kept"]
) -> Float[Tensor, "kept *channels"]:
    """Rows by an ascending index without repetition; the rows themselves where that is all."""
    # A kernel's columns stay columns: it wants them back like that.
    if len(index) == len(rows):
        return rows
    if rows.ndim == 2 and not rows.is_contiguous():
        return rows.t().index_select(1, index).t()
    return rows.index_select(0, index)


def spread(
    values: Float[Tensor, "kept *channels"], index: Int[Tensor, "kept"], shape: torch.Size
) -> Float[Tensor, "rays samples *channels"]:
    """Put values back where they came from; 0 elsewhere."""
    channels = values.shape[1:]
    if len(index) == shape.numel():
        return values.reshape(*shape, *channels)
    flat = values.new_zeros(shape.numel(), *channels)
    return flat.index_copy(0, index, values).reshape(*shape, *channels)
