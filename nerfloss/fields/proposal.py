"""A small density that only says where along a ray to look."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.fields.density import LARGEST_LOG_DENSITY
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
        """Densities per scene unit; differentiable."""
        outputs = self.network(self.grid(points))[:, 0]
        return torch.exp(outputs.clamp_max(LARGEST_LOG_DENSITY))

    def span(self, box: Float[Tensor, "2 3"]) -> None:
        """Span the box of the field that is looked for; one that has a volume."""
        self.grid.box.copy_(box)
