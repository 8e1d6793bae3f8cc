"""A density field: how much light each point stops, and what it emits."""

from collections.abc import Collection, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.mlp import mlp

# exp(12) stops all light within 1e-4 scene units; beyond it only overflow is to be had.
LARGEST_LOG_DENSITY = 12.0


class DensityField(nn.Module):
    """Hash grid and a small network: ``densities`` and the ``embeddings`` that colours need.

    The density is the exponential of the first output, as in instant-ngp.

    Reference: Müller et al., "Instant Neural Graphics Primitives", SIGGRAPH 2022, sec. 5.4.
    """

    offers = frozenset({"densities", "embeddings"})

    def __init__(
        self, grid: HashGrid, appearance: nn.Module, *, hidden: int = 1, width: int = 64,
        embedding: int = 16,
    ) -> None:  # fmt: skip
        super().__init__()
        self.grid = grid
        self.appearance = appearance
        self.network = mlp(grid.outputs, embedding, hidden=hidden, width=width)

    @property
    def box(self) -> Float[Tensor, "2 3"]:
        """Corners of the box inside which the field lives, in scene units."""
        return self.grid.box

    def forward(
        self, points: Float[Tensor, "points 3"], needs: Collection[str]
    ) -> dict[str, Tensor]:
        """Evaluate the quantities in ``needs`` at points, differentiably."""
        outputs = self.network(self.grid(points))
        values = {
            "densities": torch.exp(outputs[:, 0].clamp_max(LARGEST_LOG_DENSITY)),
            "embeddings": outputs,
        }
        return {name: values[name] for name in needs}

    def constants(self) -> Mapping[str, Tensor]:
        """Quantities that are the same everywhere: none."""
        return {}

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the name under which the optimizer sets their rate."""
        return {
            "grid": list(self.grid.parameters()),
            "geometry": list(self.network.parameters()),
            "appearance": list(self.appearance.parameters()),
        }
