"""Depth terms: supervision of the ray distribution, scale-invariant depth, and smoothness."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import positive
from nerfloss.maths.finite_differences import forward_differences
from nerfloss.maths.segments import Segments

# Smallest deviation of the depths of a view, in scene units, from which a scale is fitted.
SMALLEST_DEVIATION = 1e-3


@requires(positive("sigma"))
def depth_nll(
    weights: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    target_depth: Float[Tensor, "rays"],
    *,
    sigma: float,
) -> Float[Tensor, "rays"]:
    """Return the negative log weight around an observed depth D, averaged by a Gaussian.

    ``-sum_k log(w_k) exp(-(t_k - D)^2 / (2 sigma^2)) dt_k`` with mid-points t; D and ``sigma`` in
    scene units. 1e-5 is added to the weights: a floor that keeps the gradient finite at weight 0.
    Choose ``sigma`` no smaller than the distance between samples, or the Gaussian may fall between
    them.

    Reference: Deng et al., "Depth-supervised NeRF: Fewer Views and Faster Training for Free",
    CVPR 2022.
    """
    middles = 0.5 * (t_starts + t_ends)
    near = (-(middles - target_depth[..., None]).square() / (2 * sigma**2)).exp()
    return -((weights + 1e-5).log() * near * (t_ends - t_starts)).sum(-1)


@requires(positive("epsilon"))
def line_of_sight(
    weights: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    target_depth: Float[Tensor, "rays"],
    *,
    epsilon: float = 0.05,
) -> Float[Tensor, "rays"]:
    """Return the line-of-sight loss: no weight before an observed depth D, all of it near D.

    ``sum_i (w_i - K_i)^2`` over the samples that begin before ``D + epsilon``, where K_i is the
    integral over the interval of a normal density with mean D and deviation ``epsilon / 3``,
    truncated at ``epsilon`` and normalised. Before ``D - epsilon`` K is 0: free space. D and
    ``epsilon`` in scene units. Samples behind D are not penalised. As integrals are compared, not
    densities, the value depends little on how densely a ray is sampled.

    Reference: Rematas et al., "Urban Radiance Fields", CVPR 2022, the line-of-sight losses.
    """
    until_start, until_end = (
        torch.erf(3 / 2**0.5 * ((t - target_depth[:, None]) / epsilon).clamp(-1, 1))
        for t in (t_starts, t_ends)
    )
    # Divided by the mass of a normal distribution within three deviations.
    wanted = 0.5 * (until_end - until_start) / math.erf(3 / 2**0.5)
    seen = t_starts < target_depth[:, None] + epsilon
    return torch.where(seen, (weights - wanted).square(), 0.0).sum(-1)


def scale_shift_depth(
    depth: Float[Tensor, "rays"],
    target_depth: Float[Tensor, "rays"],
    view: Int[Tensor, "rays"],
) -> Float[Tensor, "rays"]:
    """Return the squared error of depth after a least-squares scale and shift for each view.

    ``(s d + q - D)^2`` with the s and q that minimise its sum over a view's rays, in closed form:
    ``s = cov(d, D) / var(d)``. In the squared units of the target. Rays without an observed depth
    (0) are ignored and have the value 0, as has a view with one ray. Where the rendered depths of a
    view have a deviation below 1e-3 scene units, the scale fades to 0 and the mean of the target
    remains.

    Reference: Ranftl et al., "Towards Robust Monocular Depth Estimation: Mixing Datasets for
    Zero-shot Cross-dataset Transfer", TPAMI 2022, the scale- and shift-invariant squared error;
    Yu et al., "MonoSDF", NeurIPS 2022, its depth consistency loss.
    """
    groups = Segments.of(view)
    known = target_depth > 0
    share = known.to(depth.dtype)
    share = share / groups.sum(share).clamp_min(1)[groups.index]
    targets = torch.where(known, target_depth, 0.0)
    d, wanted = (x - groups.sum(share * x)[groups.index] for x in (depth, targets))
    scale = groups.sum(share * d * wanted) / groups.sum(share * d * d).clamp_min(
        SMALLEST_DEVIATION**2
    )
    return torch.where(known, (scale[groups.index] * d - wanted).square(), 0.0)


@requires(smallest_patch=2)
def depth_smoothness(
    patch_depth: Float[Tensor, "patches height width 1"],
    patch_target_rgb: Float[Tensor, "patches height width 3"],
) -> Float[Tensor, "patches rows columns"]:
    """Return the edge-aware depth gradient: ``|d_x D| exp(-|d_x I|) + |d_y D| exp(-|d_y I|)``.

    Forward differences, at every pixel that has a right and a lower neighbour; ``|d I|`` is the
    mean over the colours. In scene units per pixel. Depth is 0 where a ray hits nothing, so the
    silhouette counts as a depth step.

    Reference: Godard et al., "Unsupervised Monocular Depth Estimation with Left-Right
    Consistency", CVPR 2017, equation 3, there for disparities.
    """
    steps = forward_differences(patch_depth)
    edges = forward_differences(patch_target_rgb)
    across, down = (
        step[..., 0].abs() * (-edge.abs().mean(-1)).exp()
        for step, edge in zip(steps, edges, strict=True)
    )
    return across + down


@requires(smallest_patch=2)
def depth_tv(
    patch_depth: Float[Tensor, "patches height width 1"],
) -> Float[Tensor, "patches rows columns"]:
    """Return the total variation of depth, ``|d_x D| + |d_y D|``.

    Forward differences, at every pixel that has a right and a lower neighbour; in scene units per
    pixel.

    Reference: Niemeyer et al., "RegNeRF: Regularizing Neural Radiance Fields for View Synthesis
    from Sparse Inputs", CVPR 2022, its geometry regularization, with absolute differences as in
    Rudin et al., "Nonlinear Total Variation Based Noise Removal Algorithms", Physica D 60, 1992.
    """
    across, down = forward_differences(patch_depth)
    return (across.abs() + down.abs())[..., 0]
