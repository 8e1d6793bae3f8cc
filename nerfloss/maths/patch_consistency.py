"""How different the patch of a surface looks in several views."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.maths.images import grey_and_slope_at, grey_at, inside
from nerfloss.maths.projections import NEAREST, centre_and_inverse

# Smallest cosine between viewing direction and normal at which texture is compared.
SMALLEST_COSINE = 0.1
# Added to the product of two squared deviations: patches below it count as different.
FLAT = 1e-5


def patch_consistency(
    points: Float[Tensor, "rays 3"],
    normals: Float[Tensor, "rays 3"],
    pixel: Float[Tensor, "rays 2"],
    view: Int[Tensor, "rays"],
    sources: Int[Tensor, "rays sources"],
    images: Integer[Tensor, "views height width 3"],
    projections: Float[Tensor, "views 3 4"],
    *,
    patch: int,
    best: int,
) -> Float[Tensor, "rays"]:
    """Return ``1 - NCC^2`` of the patch around each pixel, the mean of its ``best`` source views.

    The ``patch`` x ``patch`` pixels around ``pixel`` (column, row) of ``view`` are projected onto
    the plane through the point, perpendicular to the unit normal, and from there into each view of
    ``sources``. ``NCC^2 = cov^2 / (var var' + 1e-5)``, with sums over the patch of grey values in
    [0, 1]. Sources that do not see the whole patch from the front are left out; 0 without any.
    Differentiable with respect to points and normals.
    """
    height, width = images.shape[1:3]
    around = pixel[:, None] + _offsets(patch).to(pixel)
    centres, distances, directions, seen = _on_plane(around, points, normals, projections[view])
    reference = grey_at(images, view[:, None].expand(around.shape[:-1]), around)
    cameras = projections[sources]
    costs, whole = _PatchCosts.apply(
        distances, centres, directions, reference, images, sources, cameras
    )
    whole &= _in_front(points, normals, cameras)
    whole &= (seen & inside(around, height, width)).all(-1)[:, None]
    return _mean_of_least(costs, whole, best)


class _PatchCosts(torch.autograd.Function):
    """The costs of all sources, differentiable with respect to the distances of a patch's pixels.

    The derivatives are computed beside the costs: a patch has few unknowns and many pixels.
    """

    @staticmethod
    def forward(
        ctx: Any,
        distances: Float[Tensor, "rays pixels"],
        starts: Float[Tensor, "rays 3"],
        directions: Float[Tensor, "rays pixels 3"],
        reference: Float[Tensor, "rays pixels"],
        images: Integer[Tensor, "views height width 3"],
        sources: Int[Tensor, "rays sources"],
        projections: Float[Tensor, "rays sources 3 4"],
    ) -> tuple[Float[Tensor, "rays sources"], Bool[Tensor, "rays sources"]]:
        # Homogeneous pixels are linear in the distance: origin + distance * step.
        matrices = projections[..., :3]
        origin = matrices @ starts[:, None, :, None] + projections[..., 3:]
        step = matrices @ directions.transpose(-1, -2)[:, None]
        at_distance = (origin + distances[:, None, None] * step).transpose(-1, -2)
        depth = at_distance[..., 2]
        scale = 1 / depth.clamp_min(NEAREST)[..., None]
        pixels = at_distance[..., :2] * scale
        whole = (inside(pixels, *images.shape[1:3]) & (depth > NEAREST)).all(-1)
        grey, slope = grey_and_slope_at(images, sources[..., None].expand_as(depth), pixels)
        step = step.transpose(-1, -2)
        motion = (step[..., :2] - pixels * step[..., 2:]) * scale

        a = (reference - reference.mean(-1, keepdim=True))[:, None]
        b = grey - grey.mean(-1, keepdim=True)
        variance = a.square().sum(-1)
        covariance = (a * b).sum(-1)
        inverse = 1 / (variance * b.square().sum(-1) + FLAT)
        # The derivative has mean 0 over the patch: subtracting the mean changes nothing.
        ratio = (covariance * inverse)[..., None]
        by_grey = -2 * ratio * (a - ratio * variance[..., None] * b)
        ctx.save_for_backward(by_grey * (slope * motion).sum(-1))
        ctx.mark_non_differentiable(whole)
        return 1 - covariance.square() * inverse, whole

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_costs: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        (derivatives,) = ctx.saved_tensors
        grad = grad_costs[..., None]
        # Views that do not see a patch may have no finite derivative there.
        return torch.where(grad != 0, grad * derivatives, 0).sum(1), *[None] * 6


def _offsets(patch: int) -> Float[Tensor, "pixels 2"]:
    """Return the offsets from the centre of a patch to each of its pixels."""
    along = torch.arange(patch) - patch // 2
    return torch.cartesian_prod(along, along).flip(-1).float()


def _on_plane(
    pixels: Tensor, points: Tensor, normals: Tensor, cameras: Tensor
) -> tuple[Tensor, Float[Tensor, "rays pixels"], Tensor, Bool[Tensor, "rays pixels"]]:
    """Return rays through pixels, and where they meet the plane: True where they meet its front.

    The rays are the camera's centre, the distances of the plane, and directions at depth 1.
    """
    centre, inverse = centre_and_inverse(cameras)
    through = torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1)
    directions = through @ inverse.transpose(-1, -2)
    towards = (directions @ normals[..., None]).squeeze(-1)
    facing = towards < -SMALLEST_COSINE * directions.norm(dim=-1)
    height = ((points - centre) * normals).sum(-1)[:, None]
    # A plane seen edge-on is not met; -1 keeps the unused quotient finite.
    distances = height / torch.where(facing, towards, -1.0)
    return centre, distances, directions, facing & (distances > 0)


def _in_front(points: Tensor, normals: Tensor, cameras: Tensor) -> Bool[Tensor, "rays sources"]:
    """Return True for cameras on the outer side of the surface, and not too oblique."""
    away = centre_and_inverse(cameras)[0] - points[:, None]
    return (away * normals[:, None]).sum(-1) > SMALLEST_COSINE * away.norm(dim=-1)


def _mean_of_least(costs: Tensor, valid: Tensor, count: int) -> Float[Tensor, "rays"]:
    """Return the mean of the ``count`` smallest valid costs of each ray; 0 where none is valid."""
    # Costs are at most 1, so 2 sorts behind all valid ones.
    least = torch.where(valid, costs, 2.0).topk(min(count, costs.shape[-1]), -1, largest=False)
    keep = least.values < 1.5
    return torch.where(keep, least.values, 0.0).sum(-1) / keep.sum(-1).clamp_min(1)
