"""A signed distance as a small network over a hash grid, and its gradient written out.

The gradient is part of the forward pass: with ``f`` the network's input, made of grid features and
the point itself, ``g = d sdf / d f`` is the transposed chain of the layers and ``n = J^T g``, with
``J`` the derivative of ``f`` along the point. Losses on gradients then need one differentiation
instead of two: a third of the memory, and no kernel with second derivatives in autograd.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.sphere import become_sphere
from nerfloss.kernels.softplus import softplus_and_slope


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
        self.beta = beta
        become_sphere(layers, radius=radius, beta=beta, inside_out=inside_out)

    def forward(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points outputs"]:
        """Signed distance (first column) and embedding, without gradients: half the price.

        Differentiable once in points and parameters.
        """
        inputs = torch.cat([self.grid(points).t(), points.t()])
        return _run(inputs, self._weights_and_biases(), self.beta)[0].t()

    def with_gradients(
        self, points: Float[Tensor, "points 3"]
    ) -> tuple[Float[Tensor, "points outputs"], Float[Tensor, "points 3"]]:
        """Signed distance and embedding, and the distance's gradient in world units.

        Both are differentiable once in points and parameters.
        """
        grid, differentiable = self.grid, torch.is_grad_enabled()
        parameters = self._weights_and_biases()
        return _WithGradients.apply(
            points, grid.table, grid, self.beta, differentiable, *parameters
        )

    def _weights_and_biases(self) -> list[Tensor]:
        """Weight and bias of the first layer, then of the next."""
        return list(self.layers.parameters())


def _run(
    inputs: Float[Tensor, "inputs points"], parameters: Sequence[Tensor], beta: float
) -> tuple[Float[Tensor, "outputs points"], list[Tensor]]:
    """The layers' outputs, and the slope of every hidden unit. Points run fastest."""
    values, slopes = inputs, []
    weights, biases = parameters[::2], parameters[1::2]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        values, slope = softplus_and_slope(torch.addmm(bias[:, None], weight, values), beta)
        slopes.append(slope)
    return torch.addmm(biases[-1][:, None], weights[-1], values), slopes


def _pull(slopes: Sequence[Tensor], parameters: Sequence[Tensor]) -> Float[Tensor, "inputs points"]:
    """Derivative of the first output with respect to the inputs, layer by layer backwards."""
    *weights, last = parameters[::2]
    pull = last[:1].t()
    for weight, slope in zip(reversed(weights), reversed(slopes), strict=True):
        pull = weight.t() @ (slope * pull)
    return pull


class _WithGradients(torch.autograd.Function):
    """Outputs and gradients, differentiated with one scatter into the table for both.

    Autograd differentiates the small network, whose graph lives here; the grid's part is by hand.
    """

    @staticmethod
    def forward(
        ctx: Any,
        points: Tensor,
        table: Tensor,
        grid: HashGrid,
        beta: float,
        differentiable: bool,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        chosen, at = grid.kernel(), (grid.layout, grid.active_levels)
        unit, scale = grid.to_unit(points)
        features = chosen.features(unit, table, *at)
        with torch.set_grad_enabled(differentiable):
            inputs = torch.cat([features.t(), points.detach().t()]).requires_grad_()
            own = [each.detach().requires_grad_() for each in parameters]
            outputs, slopes = _run(inputs, own, beta)
            pull = _pull(slopes, own)
        along_grid = pull[:-3].detach().t()
        gradients = scale * chosen.vjp(unit, table, along_grid, *at) + pull[-3:].detach().t()
        ctx.save_for_backward(unit, scale, table, along_grid)
        ctx.chosen, ctx.at = chosen, at
        ctx.graph = (outputs, pull), (inputs, *own)
        return outputs.detach().t(), gradients

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_outputs: Tensor, to_gradients: Tensor) -> tuple[Tensor | None, ...]:
        unit, scale, table, along_grid = ctx.saved_tensors
        chosen, at = ctx.chosen, ctx.at
        tangent = scale * to_gradients
        to_pull = torch.cat([chosen.jvp(unit, table, tangent, *at).t(), to_gradients.t()])
        outputs, inputs = ctx.graph
        to_inputs, *to_parameters = torch.autograd.grad(
            outputs,
            inputs,
            (to_outputs.t(), to_pull),
            retain_graph=True,  # whoever kept the outer graph may come again
            materialize_grads=True,
        )
        to_features = to_inputs[:-3].t()
        to_points = to_table = None
        if ctx.needs_input_grad[0]:
            curved = chosen.vjp(unit, table, to_features, *at)
            curved = curved + chosen.hvp(unit, table, along_grid, tangent, *at)
            to_points = scale * curved + to_inputs[-3:].t()
        if ctx.needs_input_grad[1]:
            to_table = chosen.scatter(unit, to_features, tangent, along_grid, *at)
        return to_points, to_table, None, None, None, *to_parameters
