"""Which pixels may be drawn, as runs of neighbours, and how what is drawn gets to a device."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from nerfloss.data.views import Views


@dataclass(frozen=True)
class PixelPool:
    """Runs of pixels: the flat index where each starts, and how many pixels lie before it.

    ``count`` is how many there are in all: known here, so that a GPU need not be asked.
    """

    starts: Int[Tensor, "runs"]
    bounds: Int[Tensor, "runs+1"]
    count: int

    @classmethod
    def of(
        cls, starts: Int[Tensor, "runs"], bounds: Int[Tensor, "runs+1"], device: torch.device
    ) -> "PixelPool":
        """A pool on a device."""
        return cls(starts.to(device), bounds.to(device), int(bounds[-1]))

    def draw(self, count: int, generator: torch.Generator) -> Int[Tensor, "count"]:
        """Flat indices, with replacement, uniformly over all pixels: the same on every device."""
        ticket = torch.randint(self.count, (count,), generator=generator)
        ticket = sent(ticket, self.bounds.device)
        run = torch.searchsorted(self.bounds, ticket, right=True) - 1
        return self.starts[run] + (ticket - self.bounds[run])


def sent(values: Tensor, device: torch.device) -> Tensor:
    """Values on a device; from the host to a GPU without waiting for either."""
    if device.type == "cuda" and values.device.type == "cpu":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


def streams(views: Views, device: torch.device) -> bool:
    """Whether the pixels of these views have a way to go to a device."""
    return views.rgb.device.type != device.type
