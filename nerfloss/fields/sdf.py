"""A signed distance field: its values, its explicit gradient and its second derivatives."""

import math
from collections.abc import Callable, Collection, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.fields.heads import head_parameters, heads_on
from nerfloss.fields.sdf_network import SDFNetwork

# The sharpness is exp(10 v), so that one learning rate suits values from 10 to 10 000 (NeuS).
SHARPNESS_RATE = 10.0


class SDFField(nn.Module):
    """``sdf`` (negative inside), its ``gradients``, and what colours and opacities need.

    ``sharpness`` (how fast opacity rises across the surface) is learned with the field.
    Second derivatives are central differences over ``difference_cells`` cells of the finest
    active level: inside a cell a trilinear grid has no pure second derivatives. ``heads``, by the
    name of their quantity, are made for the embeddings.
    """

    offers = frozenset({"sdf", "gradients", "laplacian", "hessian_gradients", "embeddings"})

    def __init__(
        self,
        network: SDFNetwork,
        appearance: nn.Module,
        *,
        sharpness: float = 20.0,
        difference_cells: float = 1.0,
        heads: Mapping[str, Callable[[int], nn.Module]] | None = None,
    ) -> None:
        super().__init__()
        if not sharpness > 0:
            raise ValueError(f"model.field.sharpness must be positive, got {sharpness}")
        self.network = network
        self.appearance = appearance
        self.difference_cells = difference_cells
        self.heads = heads_on(network.embedding, heads)
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(sharpness) / SHARPNESS_RATE))

    @property
    def box(self) -> Float[Tensor, "2 3"]:
        """Corners of the box inside which the field lives, in scene units."""
        return self.network.grid.box

    def forward(
        self, points: Float[Tensor, "points 3"], needs: Collection[str]
    ) -> dict[str, Tensor]:
        """Evaluate the quantities in ``needs`` at points, differentiably."""
        values = {}
        if {"gradients", "hessian_gradients"} & set(needs):
            outputs, values["gradients"] = self.network.with_gradients(points)
        else:
            outputs = self.network(points)
        values |= {"sdf": outputs[:, 0], "embeddings": outputs[:, 1:]}
        if "laplacian" in needs:
            values["laplacian"] = self._laplacian(points, outputs[:, 0])
        if "hessian_gradients" in needs:
            values["hessian_gradients"] = self._hessian_gradients(points, values["gradients"])
        return {name: values[name] for name in needs}

    @torch.no_grad()
    def implicit(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        """Return the signed distance without gradients, for mesh extraction."""
        return self._sdf(points)

    def constants(self) -> Mapping[str, Tensor]:
        """Return the quantities that do not depend on the point."""
        return {"sharpness": torch.exp(SHARPNESS_RATE * self.log_sharpness)}

    def advance(self, step: int) -> None:
        """Activate the levels of the grid that belong to a scheduled step."""
        self.network.grid.set_step(step)

    def set_box(self, box: Float[Tensor, "2 3"]) -> None:
        """Let the grid span another box, before anything is learned."""
        self.network.grid.set_box(box)

    def grid_levels(self) -> tuple[Float[Tensor, "rows features"], ...]:
        """Return the grid's features level by level, for regularizers."""
        return self.network.grid.levels()

    def grid_neighbours(
        self, generator: torch.Generator | None, vertices: int
    ) -> list[Float[Tensor, "4 vertices features"]]:
        """Features at random vertices and their neighbours: for terms on the grid's roughness."""
        return self.network.grid.neighbours(generator, vertices)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the name under which the optimizer sets their rate."""
        grid = list(self.network.grid.parameters())
        inner = {id(parameter) for parameter in grid}
        return {
            "grid": grid,
            "geometry": [p for p in self.network.parameters() if id(p) not in inner],
            "appearance": list(self.appearance.parameters()),
            "sharpness": [self.log_sharpness],
            **head_parameters(self.heads),
        }

    def difference_step(self) -> float:
        """Half-width of the central differences, in scene units."""
        return self.difference_cells * self.network.grid.cell()

    def _sdf(self, points: Float[Tensor, "*points 3"]) -> Float[Tensor, "*points"]:
        return self.network(points.reshape(-1, 3))[:, 0].reshape(points.shape[:-1])

    def _laplacian(
        self, points: Float[Tensor, "points 3"], center: Float[Tensor, "points"]
    ) -> Float[Tensor, "points"]:
        """Sum over the axes of ``(f(x + h e) - 2 f(x) + f(x - h e)) / h^2``."""
        step = self.difference_step()
        taps = step * torch.cat([torch.eye(3), -torch.eye(3)]).to(points)
        around = self._sdf(points[:, None] + taps)
        return (around.sum(-1) - 6 * center) / step**2

    def _hessian_gradients(
        self, points: Float[Tensor, "points 3"], gradients: Float[Tensor, "points 3"]
    ) -> Float[Tensor, "points 3"]:
        """``H g``: the change of the gradient along its own direction, times its length."""
        step = self.difference_step()
        length = gradients.square().sum(-1, keepdim=True).clamp_min(1e-12).sqrt()
        # No gradient flows into the offset, only into the values there.
        along = (step * gradients / length).detach()
        _, both = self.network.with_gradients(torch.cat([points + along, points - along]))
        ahead, behind = both.chunk(2)
        return (ahead - behind) / (2 * step) * length
