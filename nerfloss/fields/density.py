"""A density field with view-dependent colour."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.fields.appearance import build_color_network
from nerfloss.fields.heads import build_heads, head_parameters
from nerfloss.fields.mlp import MLP

# exp(12) is opaque within 1e-4 scene units; larger values only overflow.
MAX_LOG_DENSITY = 12.0


@runtime_checkable
class Encoding(Protocol):
    """A module that encodes points for a network: a `HashGrid`, or one of the same members."""

    backend: str
    box: Tensor

    @property
    def channels(self) -> int: ...
    def __call__(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points channels"]: ...
    def set_step(self, step: int) -> None: ...
    def set_box(self, box: Float[Tensor, "2 3"]) -> None: ...
    def levels(self) -> tuple[Float[Tensor, "rows features"], ...]: ...
    def neighbours(
        self, generator: torch.Generator | None, vertices: int
    ) -> list[Float[Tensor, "4 vertices features"]]: ...
    def parameters(self) -> Any: ...


class DensityField(nn.Module):
    """Hash grid and MLP that compute ``densities`` and ``embeddings`` for the colour network.

    The density is the exponential of the first output, as in instant-ngp. With ``color_from_grid``
    the grid's features are part of the embeddings, behind the ``embedding`` outputs. ``appearance``
    and ``heads`` are as in `SDFField`.

    Reference: Müller et al., "Instant Neural Graphics Primitives", SIGGRAPH 2022, sec. 5.4.
    """

    offers = frozenset({"densities", "embeddings"})

    def __init__(
        self,
        grid: Encoding,
        appearance: nn.Module | Callable[..., nn.Module],
        *,
        hidden: int = 1,
        width: int = 64,
        embedding: int = 16,
        color_from_grid: bool = False,
        surface_density: float = 25.0,
        heads: Mapping[str, Callable[[int], nn.Module]] | None = None,
    ) -> None:
        super().__init__()
        self.grid = grid
        self.color_from_grid = color_from_grid
        self.surface_density = surface_density
        self.network = MLP(
            grid.channels, embedding, hidden=hidden, width=width, backend=grid.backend
        )
        channels = embedding + (grid.channels if color_from_grid else 0)
        self.appearance = build_color_network(appearance, channels)
        self.heads = build_heads(channels, heads)

    @property
    def box(self) -> Float[Tensor, "2 3"]:
        """Minimum and maximum corner of the field's box, in scene units."""
        return self.grid.box

    def forward(
        self, points: Float[Tensor, "points 3"], needs: Collection[str]
    ) -> dict[str, Tensor]:
        """Evaluate the quantities in ``needs`` at points, differentiably."""
        # Where densities are cached, nothing else is asked for: half of the network's products.
        alone = 1 if set(needs) == {"densities"} else None
        features = self.grid(points)
        outputs = self.network(features, first=alone)
        values = {"densities": torch.exp(outputs[:, 0].clamp_max(MAX_LOG_DENSITY))}
        if alone is None:
            values["embeddings"] = (
                torch.cat([outputs.t(), features.t()]).t() if self.color_from_grid else outputs
            )
        return {name: values[name] for name in needs}

    @torch.no_grad()
    def implicit(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        """Return ``surface_density`` minus the density, whose zero level set is the mesh."""
        return self.surface_density - self(points, {"densities"})["densities"]

    def constants(self) -> Mapping[str, Tensor]:
        """Return the quantities that do not depend on the point: none."""
        return {}

    def advance(self, step: int) -> None:
        """Activate the grid levels scheduled for a training step."""
        self.grid.set_step(step)

    def set_box(self, box: Float[Tensor, "2 3"]) -> None:
        """Set the box of an untrained field."""
        self.grid.set_box(box)

    def grid_levels(self) -> tuple[Float[Tensor, "rows features"], ...]:
        """Return the grid's features level by level, for regularizers."""
        return self.grid.levels()

    def grid_neighbours(
        self, generator: torch.Generator | None, vertices: int
    ) -> list[Float[Tensor, "4 vertices features"]]:
        """Return features at random grid vertices and their neighbours, for smoothness terms."""
        return self.grid.neighbours(generator, vertices)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters by the name for which the optimizer has settings."""
        return {
            "grid": list(self.grid.parameters()),
            "geometry": list(self.network.parameters()),
            "appearance": list(self.appearance.parameters()),
            **head_parameters(self.heads),
        }
