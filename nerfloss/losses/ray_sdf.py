"""Terms on the SDF along a ray: supervision by observed depth, and monotonicity."""

from jaxtyping import Float
from torch import Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import not_negative, positive


@requires(positive("truncation"), not_negative("near"))
def sdf_truncation(
    sdf: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    target_depth: Float[Tensor, "rays"],
    *,
    truncation: float = 0.05,
    near: float | int = 600.0,
) -> Float[Tensor, "rays"]:
    """Return the truncated SDF loss: free space before an observed depth D, the distance around it.

    Per ray: the mean of ``max(0, truncation - f)^2`` over samples farther than ``truncation``
    before D, plus ``near`` times the mean of ``(f - (D - t))^2`` over those within it. All in scene
    units, with mid-points t. ``D - t`` is the signed distance where a ray meets the surface
    perpendicularly, and an overestimate elsewhere. Samples behind and padding are left out; a ray
    without samples in a zone has 0 for it.

    Reference: Azinović et al., "Neural RGB-D Surface Reconstruction", CVPR 2022,
    whose SDF is itself truncated: here free space may lie farther away than ``truncation``.
    """
    ahead = target_depth[..., None] - 0.5 * (t_starts + t_ends)
    real = t_ends > t_starts
    free = (truncation - sdf).clamp_min(0).square()
    around = (sdf - ahead).square()
    return _mean(free, real & (ahead > truncation)) + near * _mean(
        around, real & (ahead.abs() <= truncation)
    )


def monotone(
    sdf: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
) -> Float[Tensor, "rays"]:
    """Return how much the SDF rises before a ray enters the object: ``sum max(0, f_i+1 - f_i)``.

    In scene units, over neighbouring samples that are both outside and before the first one inside.
    0 for rays that enter nothing, or start inside. The SDF may rightly increase along a ray that
    passes one part before it enters another: use it for single, mostly convex objects.

    Reference: Wang et al., "NeuS: Learning Neural Implicit Surfaces by Volume Rendering for
    Multi-view Reconstruction", NeurIPS 2021, theorem 1: weights are unbiased where the SDF falls.
    """
    real = t_ends > t_starts
    entered = ((sdf < 0) & real).cumsum(-1) > 0
    before = real[..., 1:] & ~entered[..., 1:] & entered[..., -1:]
    rise = (sdf[..., 1:] - sdf[..., :-1]).clamp_min(0)
    return (rise * before).sum(-1)


def _mean(values: Float[Tensor, "rays samples"], keep: Tensor) -> Float[Tensor, "rays"]:
    # Where nothing is kept the sum is 0; the floor turns 0 / 0 into 0.
    return (values * keep).sum(-1) / keep.sum(-1).clamp_min(1)
