"""A density field with view-dependent colour."""

from collections.abc import Callable, Collection, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.heads import head_parameters, heads_on
from nerfloss.fields.mlp import MLP

# exp(12) is opaque within 1e-4 scene units; larger values only overflow.
LARGEST_LOG_DENSITY = 12.0


class DensityField(nn.Module):
    """Hash grid and a small network: ``densities`` and the ``embeddings`` that colours need.

    The density is the exponential of the first output, as in instant-ngp. ``heads``, by the name
    of their quantity, are made for the embeddings.

    Reference: Müller et al., "Instant Neural Graphics Primitives", SIGGRAPH 2022, sec. 5.4.
    """

    offers = frozenset({"densities", "embeddings"})

    def __init__(
        self,
        grid: HashGrid,
        appearance: nn.Module,
        *,
        hidden: int = 1,
        width: int = 64,
        embedding: int = 16,
        surface_density: float = 25.0,
        heads: Mapping[str, Callable[[int], nn.Module]] | None = None,
    ) -> None:
        super().__init__()
        self.grid = grid
        self.appearance = appearance
        self.surface_density = surface_density
        self.network = MLP(
            grid.channels, embedding, hidden=hidden, width=width, backend=grid.backend
        )
        self.heads = heads_on(embedding, heads)

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

    @torch.no_grad()
    def implicit(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        """Negative where the density exceeds ``surface_density``: what a mesh is made from."""
        return self.surface_density - self(points, {"densities"})["densities"]

    def constants(self) -> Mapping[str, Tensor]:
        """Return the quantities that do not depend on the point: none."""
        return {}

    def advance(self, step: int) -> None:
        """Activate the levels of the grid that belong to a scheduled step."""
        self.grid.set_step(step)

    def set_box(self, box: Float[Tensor, "2 3"]) -> None:
        """Let the grid span another box, before anything is learned."""
        self.grid.set_box(box)

    def grid_levels(self) -> tuple[Float[Tensor, "rows features"], ...]:
        """Return the grid's features level by level, for regularizers."""
        return self.grid.levels()

    def grid_neighbours(
        self, generator: torch.Generator | None, vertices: int
    ) -> list[Float[Tensor, "4 vertices features"]]:
        """Features at random vertices and their neighbours: for terms on the grid's roughness."""
        return self.grid.neighbours(generator, vertices)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the name under which the optimizer sets their rate."""
        return {
            "grid": list(self.grid.parameters()),
            "geometry": list(self.network.parameters()),
            "appearance": list(self.appearance.parameters()),
            **head_parameters(self.heads),
        }
