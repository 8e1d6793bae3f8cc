"""How different patches of a plane look in other views, with the derivative."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor
from torch.autograd.function import once_differentiable

from nerfloss.maths.images import grey_and_slope_at, inside
from nerfloss.maths.projections import NEAREST

# Products of two squared deviations of grey values below which patches count as different.
FLAT = 1e-5


def patch_costs(
    distances: Float[Tensor, "rays pixels"],
    starts: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays pixels 3"],
    reference: Float[Tensor, "rays pixels"],
    images: Integer[Tensor, "images height width 3"],
    sources: Int[Tensor, "rays sources"],
    projections: Float[Tensor, "rays sources 3 4"],
) -> tuple[Float[Tensor, "rays sources"], Bool[Tensor, "rays sources"]]:
    """Return ``1 - NCC^2`` of each patch in each source view, and True where it sees all of it.

    A patch consists of the points ``starts + distances * directions``. It is compared with the grey
    values ``reference`` in [0, 1]; ``sources`` are the images of the views, ``projections`` their
    matrices. ``NCC^2 = cov^2 / (var var' + 1e-5)``, with sums over the patch. Differentiable with
    respect to the distances only: their derivative is computed beside the value, since a patch has
    few unknowns and many pixels.
    """
    return _PatchCosts.apply(distances, starts, directions, reference, images, sources, projections)


class _PatchCosts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        distances: Tensor,
        starts: Tensor,
        directions: Tensor,
        reference: Tensor,
        images: Tensor,
        sources: Tensor,
        projections: Tensor,
    ) -> tuple[Tensor, Tensor]:
        # Homogeneous pixels are linear in the distance: origin + distance * step.
        matrices = projections[..., :3]
        origin = matrices @ starts[:, None, :, None] + projections[..., 3:]
        step = matrices @ directions.transpose(-1, -2)[:, None]
        x, y, depth = (origin + distances[:, None, None] * step).unbind(-2)
        scale = 1 / depth.clamp_min(NEAREST)
        pixels = torch.stack([x * scale, y * scale], -1)
        whole = (inside(pixels, *images.shape[1:3]) & (depth > NEAREST)).all(-1)

        grey, slope = grey_and_slope_at(images, sources[..., None].expand_as(depth), pixels)
        motion = (step[..., :2, :].transpose(-1, -2) - pixels * step[..., 2, :, None]) * scale[
            ..., None
        ]
        a = (reference - reference.mean(-1, keepdim=True))[:, None]
        b = grey - grey.mean(-1, keepdim=True)
        variance = a.square().sum(-1)
        covariance = (a * b).sum(-1)
        inverse = 1 / (variance * b.square().sum(-1) + FLAT)
        # The derivative has mean 0 over the patch, so that of subtracting the mean changes nothing.
        ratio = (covariance * inverse)[..., None]
        by_grey = -2 * ratio * (a - ratio * variance[..., None] * b)
        ctx.save_for_backward(by_grey * (slope * motion).sum(-1))
        ctx.mark_non_differentiable(whole)
        return 1 - covariance.square() * inverse, whole

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_costs: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        (derivative,) = ctx.saved_tensors
        # Views that do not see a patch may have no finite derivative there.
        used = grad_costs[..., None] != 0
        grad = torch.where(used, grad_costs[..., None] * derivative, 0).sum(1)
        return grad, None, None, None, None, None, None
