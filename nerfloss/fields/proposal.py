"""The density field of the proposal sampler."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.fields.density import MAX_LOG_DENSITY
from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.mlp import MLP


class ProposalDensity(nn.Module):
    """Density at world points from a coarse hash grid and a narrow network.

    Reference: Barron et al., "Mip-NeRF 360: Unbounded Anti-Aliased Neural Radiance Fields", CVPR
    2022, section 3, the proposal network.
    """

    def __init__(self, grid: HashGrid, *, hidden: int = 1, width: int = 16) -> None:
        super().__init__()
        self.grid = grid
        self.network = MLP(grid.channels, 1, hidden=hidden, width=width, backend=grid.backend)

    def forward(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        """Return densities per scene unit; differentiable."""
        outputs = self.network(self.grid(points))[:, 0]
        return torch.exp(outputs.clamp_max(MAX_LOG_DENSITY))

    def set_box(self, box: Float[Tensor, "2 3"]) -> None:
        """Use the box of the main field, which must have a volume; parameters are kept."""
        self.grid.box.copy_(box)
