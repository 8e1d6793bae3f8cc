"""Affine colour transforms: application to colours, and bilateral grids of them."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

# Rec. 601: weights of red, green and blue.
LUMINANCE = (0.299, 0.587, 0.114)


def identity_transform() -> Float[Tensor, "3 4"]:
    """Return the affine transform ``[I | 0]``, which leaves every colour as it is."""
    return torch.eye(3, 4)


def transformed_colors(
    colors: Float[Tensor, "rays 3"],
    shares: Float[Tensor, "rays"],
    transforms: Float[Tensor, "rays 3 4"],
) -> Float[Tensor, "rays 3"]:
    """Return ``A c + s b`` for transforms ``[A | b]`` and colours ``c`` of opacity ``s``.

    The colours are premultiplied by their opacity, and so is the result: of a straight colour
    ``c / s`` the transform makes ``A c / s + b``.
    """
    linear = (transforms[..., :3] @ colors[..., None]).squeeze(-1)
    return linear + shares[:, None] * transforms[..., 3]


def luminance(colors: Float[Tensor, "rays 3"]) -> Float[Tensor, "rays"]:
    """Return the luminance of colours (Rec. 601)."""
    return colors @ colors.new_tensor(LUMINANCE)


def sliced_grids(
    grids: Float[Tensor, "images luminances rows columns 3 4"],
    image: Int[Tensor, "rays"],
    coordinates: Float[Tensor, "rays 3"],
) -> Float[Tensor, "rays 3 4"]:
    """Return the transforms of bilateral grids at (column, row, luminance), each in [0, 1].

    Interpolates linearly between the 8 nearest vertices of the ray's image; the first vertex of an
    axis lies at 0 and the last at 1. Coordinates beyond are clamped.

    Reference: Chen, Paris and Durand, "Real-time Edge-Aware Image Processing with the Bilateral
    Grid", SIGGRAPH 2007.
    """
    last = coordinates.new_tensor([grids.shape[3], grids.shape[2], grids.shape[1]]) - 1
    place = coordinates.clamp(0.0, 1.0) * last
    # A coordinate of 1 lies at the end of the last cell, not in a cell of its own.
    low = torch.minimum(place.detach().floor(), (last - 1).clamp_min(0))
    # Any vertex serves for a coordinate that is not a number: the result is none either.
    low = torch.where(low.isfinite(), low, 0.0)
    part, low = place - low, low.long()
    corners = torch.cartesian_prod(*[torch.arange(2, device=low.device)] * 3)
    at = torch.minimum(low[:, None] + corners, last.long())
    weights = torch.where(corners == 1, part[:, None], 1 - part[:, None]).prod(-1)
    column, row, level = at.unbind(-1)
    index = (image[:, None] * grids.shape[1] + level) * grids.shape[2] + row
    index = index * grids.shape[3] + column
    vertices = grids.reshape(-1, 12).index_select(0, index.flatten()).view(*index.shape, 12)
    return (weights[..., None] * vertices).sum(1).view(-1, 3, 4)
