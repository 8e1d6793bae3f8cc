"""Signed distance network on a hash grid, with its gradient computed in the forward pass.

With ``f`` the network's input (grid features and the point), ``g = d sdf / d f`` is the transposed
chain of the layers, and the gradient is ``J^T g`` with ``J = d f / d point``. Losses on gradients
then need one differentiation instead of two: a third of the memory, and no double backward.
"""

from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nerfloss.fields.geometric_init import geometric_init
from nerfloss.fields.hash_grid import HashGrid
from nerfloss.kernels import sdf_mlp


class SDFNetwork(nn.Module):
    """Signed distance, in scene units, and an embedding for the colour network, at world points.

    Linear layers with softplus of sharpness ``beta`` between. The initial distance is that of a
    sphere of ``radius`` around the origin, positive outside, or inside with ``inside_out``, which
    suits rooms. With ``color_from_grid`` the grid's features are part of the embedding, behind the
    network's own ``embedding`` channels: fine texture need not pass through the network.
    """

    def __init__(
        self,
        grid: HashGrid,
        *,
        hidden: int = 1,
        width: int = 64,
        embedding: int = 15,
        radius: float = 0.5,
        beta: float = 100.0,
        inside_out: bool = False,
        color_from_grid: bool = False,
    ) -> None:
        super().__init__()
        if hidden < 1:
            raise ValueError(f"an SDF network needs hidden >= 1, got hidden={hidden}")
        self.grid = grid
        sizes = [grid.channels + 3, *[width] * hidden, 1 + embedding]
        layers = [nn.Linear(inner, outer) for inner, outer in pairwise(sizes)]
        self.layers = nn.ModuleList(layers)
        self.beta, self.color_from_grid = beta, color_from_grid
        self.embedding = embedding + (grid.channels if color_from_grid else 0)
        geometric_init(layers, radius=radius, beta=beta, inside_out=inside_out)

    def forward(
        self, points: Float[Tensor, "points 3"]
    ) -> tuple[Float[Tensor, "points"], Float[Tensor, "points embedding"]]:
        """Return signed distance and embedding, at half the cost of gradients too.

        Differentiable once in points and parameters.
        """
        return self._evaluate(points, list(self.layers.parameters()), needs_gradients=False)[:2]

    def distance(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        """Return the signed distance alone, differentiable once in points and parameters."""
        *hidden, weight, bias = self.layers.parameters()
        first = [*hidden, weight[:1], bias[:1]]
        return self._evaluate(points, first, needs_gradients=False, alone=True)[0]

    def with_gradients(
        self, points: Float[Tensor, "points 3"]
    ) -> tuple[
        Float[Tensor, "points"], Float[Tensor, "points embedding"], Float[Tensor, "points 3"]
    ]:
        """Return signed distance and embedding, and the gradient of the distance.

        All are differentiable once in points and parameters.
        """
        return self._evaluate(points, list(self.layers.parameters()), needs_gradients=True)

    def _evaluate(
        self,
        points: Tensor,
        parameters: list[Tensor],
        *,
        needs_gradients: bool,
        alone: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor]:
        # parameters: weight and bias of the first layer, then of the next.
        passed = self.grid.channels if self.color_from_grid and not alone else 0
        return _Evaluate.apply(
            points, self.grid.table, self.grid, self.beta, needs_gradients, passed, *parameters
        )


class _Evaluate(torch.autograd.Function):
    """Distance, embedding and gradient; the backward pass scatters into the table once for all.

    Distance and embedding are outputs of their own: as slices of one output, each would have a
    gradient of its size, most of it zeros, to be added up. The last channels of the embedding are
    the ``passed`` features.
    """

    @staticmethod
    def forward(
        ctx: Any,
        points: Tensor,
        table: Tensor,
        grid: HashGrid,
        beta: float,
        needs_gradients: bool,
        passed: int,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        kernel, active = grid.kernel(), (grid.layout, grid.active_levels)
        table = table if grid.table_dtype is None else table.to(grid.table_dtype)
        unit, scale = grid.to_unit(points)
        jacobian = points.new_empty(0)
        if needs_gradients:
            features, jacobian = kernel.features_and_jacobian(unit, table, *active)
        else:
            features = kernel.features(unit, table, *active)
        inputs = torch.cat([features.t(), points.t()])
        outputs, input_gradient = sdf_mlp.forward(
            inputs, parameters, beta, needs_gradients, backend=grid.backend
        )
        ctx.save_for_backward(unit, scale, table, jacobian, inputs, input_gradient, *parameters)
        ctx.kernel, ctx.active, ctx.backend = kernel, active, grid.backend
        ctx.beta, ctx.needs_gradients, ctx.passed = beta, needs_gradients, passed
        distance, embedding = outputs[0], outputs[1:]
        embedding = torch.cat([embedding, inputs[:passed]]).t() if passed else embedding.t()
        if not needs_gradients:
            empty = points.new_empty(0, 3)
            ctx.mark_non_differentiable(empty)
            return distance, embedding, empty
        through_grid = kernel.vjp_from_jacobian(jacobian, input_gradient[:-3].t())
        return distance, embedding, scale * through_grid + input_gradient[-3:].t()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_distance: Tensor, grad_embedding: Tensor, grad_gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        unit, scale, table, jacobian, inputs, input_gradient, *parameters = ctx.saved_tensors
        kernel, active = ctx.kernel, ctx.active
        tangent = grid_gradient = None
        grad_input_gradient = input_gradient
        if ctx.needs_gradients:
            tangent, grid_gradient = scale * grad_gradients, input_gradient[:-3].t()
            grad_input_gradient = torch.cat(
                [kernel.jvp_from_jacobian(jacobian, tangent).t(), grad_gradients.t()]
            )
        computed = grad_embedding.shape[1] - ctx.passed
        grad_outputs = torch.cat([grad_distance[None], grad_embedding.t()[:computed]])
        grad_inputs, grad_parameters = sdf_mlp.backward(
            inputs, parameters, ctx.beta, grad_outputs, grad_input_gradient, backend=ctx.backend
        )
        if ctx.passed:
            grad_inputs[:-3] += grad_embedding.t()[computed:]
        grad_features = grad_inputs[:-3].t()
        grad_points = grad_table = None
        if ctx.needs_input_grad[0]:
            curved = kernel.vjp(unit, table, grad_features, *active)
            if tangent is not None:
                curved = curved + kernel.hvp(unit, table, grid_gradient, tangent, *active)
            grad_points = scale * curved + grad_inputs[-3:].t()
        if ctx.needs_input_grad[1]:
            grad_table = kernel.scatter(unit, grad_features, tangent, grid_gradient, *active)
        return grad_points, grad_table, None, None, None, None, *grad_parameters
