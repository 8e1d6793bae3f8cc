"""Geometric initialization: weights that make an SDF network the distance to a sphere."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus


@torch.no_grad()
def geometric_init(
    layers: Sequence[nn.Linear], *, radius: float, beta: float, inside_out: bool
) -> None:
    """Set the weights so that the first output is about ``|x| - radius`` for any grid features.

    The last three inputs are the point; ``beta`` is the sharpness of the softplus between layers.
    With ``inside_out`` the sign is reversed.

    The first layer projects the point on directions spread evenly over the sphere; its weights on
    grid features are 0. Further layers are random, which gives a sphere in the limit of infinite
    width, but an error of a fifth of the radius with 64 units. The constant weights of the last
    layer are therefore corrected by ridge regression at random points.

    Reference: Atzmon and Lipman, "SAL: Sign Agnostic Learning of Shapes from Raw Data",
    CVPR 2020.
    """
    first, *others, last = layers
    units = first.out_features
    nn.init.zeros_(first.weight)
    first.weight[:, -3:] = math.sqrt(6 / units) * _even_directions(units)
    for layer in others:
        nn.init.normal_(layer.weight, 0.0, math.sqrt(2 / layer.out_features))
    nn.init.normal_(last.weight, 0.0, 1 / math.sqrt(last.in_features))
    nn.init.constant_(last.weight[0], math.sqrt(8 / 3 / last.in_features))
    for layer in layers:
        nn.init.zeros_(layer.bias)

    points = torch.rand(4096, 3) * 2 - 1
    values = first.weight[:, -3:] @ points.t()
    for layer in others:
        values = layer.weight @ softplus(values, beta)
    values = softplus(values, beta)
    missing = points.norm(dim=-1) - last.weight[0] @ values
    normal = values @ values.t()
    normal += 1e-2 * normal.diagonal().mean() * torch.eye(len(values))
    last.weight[0] += torch.linalg.solve(normal, values @ missing)
    last.bias[0] = -radius
    if inside_out:
        last.weight[0].neg_()
        last.bias[0].neg_()


def _even_directions(count: int) -> Float[Tensor, "{count} 3"]:
    """Return unit vectors spread evenly over the sphere, on a Fibonacci spiral."""
    number = torch.arange(count) + 0.5
    angle = number * math.pi * (1 + math.sqrt(5))
    z = 1 - 2 * number / count
    radius = (1 - z.square()).sqrt()
    return torch.stack([radius * angle.cos(), radius * angle.sin(), z], -1)
