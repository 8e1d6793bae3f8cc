"""A signed distance field with gradient and second derivatives."""

import math
from collections.abc import Callable, Collection, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.fields.appearance import build_color_network
from nerfloss.fields.heads import build_heads, head_parameters
from nerfloss.fields.sdf_network import SDFNetwork

# The sharpness is exp(10 v), so that one learning rate suits values from 10 to 10 000 (NeuS).
SHARPNESS_RATE = 10.0


class SDFField(nn.Module):
    """Signed distance ``sdf`` (negative inside), its derivatives, and embeddings for colours.

    ``sharpness``, the inverse width of the opacity's transition at the surface, is learned. Second
    derivatives are central differences over ``difference_cells`` cells of the finest active level:
    inside a cell a trilinear grid has no pure second derivatives. ``appearance`` is a colour
    network, or builds one for the number ``embedding`` of channels; ``heads`` maps names of
    quantities to functions that build a head for that number.
    """

    offers = frozenset({"sdf", "gradients", "laplacian", "hessian_gradients", "embeddings"})

    def __init__(
        self,
        network: SDFNetwork,
        appearance: nn.Module | Callable[..., nn.Module],
        *,
        sharpness: float = 20.0,
        difference_cells: float = 1.0,
        heads: Mapping[str, Callable[[int], nn.Module]] | None = None,
    ) -> None:
        super().__init__()
        if not sharpness > 0:
            raise ValueError(f"model.field.sharpness must be positive, got {sharpness}")
        self.network = network
        self.appearance = build_color_network(appearance, network.embedding)
        self.difference_cells = difference_cells
        self.heads = build_heads(network.embedding, heads)
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(sharpness) / SHARPNESS_RATE))

    @property
    def box(self) -> Float[Tensor, "2 3"]:
        """Minimum and maximum corner of the field's box, in scene units."""
        return self.network.grid.box

    def forward(
        self, points: Float[Tensor, "points 3"], needs: Collection[str]
    ) -> dict[str, Tensor]:
        """Evaluate the quantities in ``needs`` at points, differentiably."""
        if set(needs) == {"sdf"}:
            return {"sdf": self.network.distance(points)}
        if set(needs) == {"laplacian"}:
            return {"laplacian": self._laplacian(points)}
        values = {}
        if {"gradients", "hessian_gradients"} & set(needs):
            sdf, embeddings, values["gradients"] = self.network.with_gradients(points)
        else:
            sdf, embeddings = self.network(points)
        values |= {"sdf": sdf, "embeddings": embeddings}
        if "laplacian" in needs:
            values["laplacian"] = self._laplacian(points, sdf)
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
        """Activate the grid levels scheduled for a training step."""
        self.network.grid.set_step(step)

    def set_box(self, box: Float[Tensor, "2 3"]) -> None:
        """Set the box of an untrained field."""
        self.network.grid.set_box(box)

    def grid_levels(self) -> tuple[Float[Tensor, "rows features"], ...]:
        """Return the grid's features level by level, for regularizers."""
        return self.network.grid.levels()

    def grid_neighbours(
        self, generator: torch.Generator | None, vertices: int
    ) -> list[Float[Tensor, "4 vertices features"]]:
        """Return features at random grid vertices and their neighbours, for smoothness terms."""
        return self.network.grid.neighbours(generator, vertices)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters by the name for which the optimizer has settings."""
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
        """Return the half-width of the central differences, in scene units."""
        return self.difference_cells * self.network.grid.cell()

    def _sdf(self, points: Float[Tensor, "*points 3"]) -> Float[Tensor, "*points"]:
        return self.network.distance(points.reshape(-1, 3)).reshape(points.shape[:-1])

    def _laplacian(
        self, points: Float[Tensor, "points 3"], center: Float[Tensor, "points"] | None = None
    ) -> Float[Tensor, "points"]:
        """Return the sum over the axes of ``(f(x + h e) - 2 f(x) + f(x - h e)) / h^2``."""
        step = self.difference_step()
        taps = step * torch.cat([torch.eye(3), -torch.eye(3), torch.zeros(1, 3)]).to(points)
        # Each evaluation has a gradient of the whole table, so the centre joins the others.
        values = self._sdf(points[:, None] + (taps if center is None else taps[:6]))
        center = values[:, 6] if center is None else center
        return (values[:, :6].sum(-1) - 6 * center) / step**2

    def _hessian_gradients(
        self, points: Float[Tensor, "points 3"], gradients: Float[Tensor, "points 3"]
    ) -> Float[Tensor, "points 3"]:
        """Return ``H g``, the Hessian times the gradient, by a difference along the gradient."""
        step = self.difference_step()
        length = gradients.square().sum(-1, keepdim=True).clamp_min(1e-12).sqrt()
        # The offset is detached: it only chooses where the gradient is evaluated.
        along = (step * gradients / length).detach()
        _, _, both = self.network.with_gradients(torch.cat([points + along, points - along]))
        ahead, behind = both.chunk(2)
        return (ahead - behind) / (2 * step) * length
