"""Encoding of the space outside of the unit ball by direction and inverse distance."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.maths.contraction import inverse_radius


class InvertedSphere(nn.Module):
    """Sines and cosines of ``(x/r, y/r, z/r, 1/r)`` at ``frequencies`` octaves, in place of a grid.

    Points are given contracted (`nerfloss.maths.contraction.contract`). ``backend`` selects the
    kernels of the network that follows.

    Reference: Zhang et al., "NeRF++: Analyzing and Improving Neural Radiance Fields", 2020,
    section 4; NeuS uses it for scenes without masks (Wang et al., NeurIPS 2021, supplement).
    """

    box: Tensor

    def __init__(self, *, frequencies: int = 6, backend: str = "auto") -> None:
        super().__init__()
        if frequencies < 1:
            raise ValueError(f"background.field.grid.frequencies must be >= 1, got {frequencies}")
        self.frequencies, self.backend = frequencies, backend
        self.register_buffer("box", torch.tensor([[-2.0] * 3, [2.0] * 3]))

    @property
    def channels(self) -> int:
        """Number of values per point."""
        return 4 + 8 * self.frequencies

    def forward(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points channels"]:
        """Return the encoding of contracted points."""
        direction = points / points.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        values = torch.cat([direction, inverse_radius(points)[:, None]], -1)
        octaves = math.pi * 2.0 ** torch.arange(self.frequencies, device=points.device)
        phases = (values[:, None] * octaves[:, None]).flatten(1)
        return torch.cat([values, phases.sin(), phases.cos()], -1)

    def set_box(self, box: Float[Tensor, "2 3"]) -> None:
        """Do nothing: all directions and distances are encoded."""

    def levels(self) -> tuple[Tensor, ...]:
        """Return no table: nothing is learned."""
        return ()

    def neighbours(self, generator: torch.Generator | None, vertices: int) -> list[Tensor]:  # noqa: ARG002
        """Return no table: nothing is learned."""
        return []

    def set_step(self, step: int) -> None:
        """Do nothing: all frequencies are active from the start."""
