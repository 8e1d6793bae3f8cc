"""A signed distance as a small network over a hash grid, and its gradient written out.

The gradient is part of the forward pass: with ``f`` the network's input, made of grid features and
the point itself, ``g = d sdf / d f`` is the transposed chain of the layers and ``n = J^T g``, with
``J`` the derivative of ``f`` along the point. Losses on gradients then need one differentiation
instead of two: a third of the memory, and no kernel with second derivatives in autograd.
"""

from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.sphere import become_sphere
from nerfloss.kernels import sdf_mlp


class SDFNetwork(nn.Module):
    """Signed distance, in scene units, and an embedding for the colour network, at world points.

    Layers are ``Linear`` with softplus of sharpness ``beta`` between. At first the distance is that
    of a sphere of ``radius`` around the origin, positive outside (inside with ``inside_out``: the
    walls of a room).
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
    ) -> None:
        super().__init__()
        if hidden < 1:
            raise ValueError(f"a distance network needs hidden >= 1, got hidden={hidden}")
        self.grid = grid
        sizes = [grid.channels + 3, *[width] * hidden, 1 + embedding]
        layers = [nn.Linear(inner, outer) for inner, outer in pairwise(sizes)]
        self.layers = nn.ModuleList(layers)
        self.beta, self.embedding = beta, embedding
        become_sphere(layers, radius=radius, beta=beta, inside_out=inside_out)

    def forward(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points outputs"]:
        """Signed distance (first column) and embedding, without gradients: half the price.

        Differentiable once in points and parameters.
        """
        return self._evaluate(points, needs_gradients=False)[0]

    def with_gradients(
        self, points: Float[Tensor, "points 3"]
    ) -> tuple[Float[Tensor, "points outputs"], Float[Tensor, "points 3"]]:
        """Signed distance and embedding, and the distance's gradient in world units.

        Both are differentiable once in points and parameters.
        """
        return self._evaluate(points, needs_gradients=True)

    def _evaluate(self, points: Tensor, *, needs_gradients: bool) -> tuple[Tensor, Tensor]:
        # Weight and bias of the first layer, then of the next.
        parameters = self.layers.parameters()
        return _Evaluate.apply(
            points, self.grid.table, self.grid, self.beta, needs_gradients, *parameters
        )


class _Evaluate(torch.autograd.Function):
    """Outputs and gradients, differentiated with one scatter into the table for both."""

    @staticmethod
    def forward(
        ctx: Any,
        points: Tensor,
        table: Tensor,
        grid: HashGrid,
        beta: float,
        needs_gradients: bool,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        chosen, at = grid.kernel(), (grid.layout, grid.active_levels)
        table = table if grid.stored is None else table.to(grid.stored)
        unit, scale = grid.to_unit(points)
        jacobian = points.new_empty(0)
        if needs_gradients:
            features, jacobian = chosen.features_and_jacobian(unit, table, *at)
        else:
            features = chosen.features(unit, table, *at)
        inputs = torch.cat([features.t(), points.t()])
        by = grid.backend
        outputs, input_gradient = sdf_mlp.forward(
            inputs, parameters, beta, needs_gradients, backend=by
        )
        ctx.save_for_backward(unit, scale, table, jacobian, inputs, input_gradient, *parameters)
        ctx.chosen, ctx.at, ctx.beta, ctx.needs_gradients, ctx.by = (
            chosen,
            at,
            beta,
            needs_gradients,
            by,
        )
        if not needs_gradients:
            nothing = points.new_empty(0, 3)
            ctx.mark_non_differentiable(nothing)
            return outputs.t(), nothing
        return outputs.t(), scale * chosen.vjp_from_jacobian(
            jacobian, input_gradient[:-3].t()
        ) + input_gradient[-3:].t()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_outputs: Tensor, to_gradients: Tensor) -> tuple[Tensor | None, ...]:
        unit, scale, table, jacobian, inputs, input_gradient, *parameters = ctx.saved_tensors
        chosen, at = ctx.chosen, ctx.at
        tangent = along_grid = None
        grad_input_gradient = input_gradient
        if ctx.needs_gradients:
            tangent, along_grid = scale * to_gradients, input_gradient[:-3].t()
            grad_input_gradient = torch.cat(
                [chosen.jvp_from_jacobian(jacobian, tangent).t(), to_gradients.t()]
            )
        to_inputs, to_parameters = sdf_mlp.backward(
            inputs, parameters, ctx.beta, to_outputs.t(), grad_input_gradient, backend=ctx.by
        )
        to_features = to_inputs[:-3].t()
        to_points = to_table = None
        if ctx.needs_input_grad[0]:
            curved = chosen.vjp(unit, table, to_features, *at)
            if tangent is not None:
                curved = curved + chosen.hvp(unit, table, along_grid, tangent, *at)
            to_points = scale * curved + to_inputs[-3:].t()
        if ctx.needs_input_grad[1]:
            to_table = chosen.scatter(unit, to_features, tangent, along_grid, *at)
        return to_points, to_table, None, None, None, *to_parameters
