"""Terms for any field: ray distributions, density sparsity, and regularity of the hash grid."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import count, positive
from nerfloss.maths.distortion import mass_of_overlaps, pairwise_spread


@runtime_checkable
class GridField(Protocol):
    """Field with a grid of several levels, as `grid_tv` and `grid_decay` need it."""

    def grid_levels(self) -> Sequence[Float[Tensor, "rows features"]]:
        """Return the learned features of every level, coarsest first."""
        ...

    def grid_neighbours(
        self, generator: Generator | None, vertices: int
    ) -> Sequence[Float[Tensor, "4 vertices features"]]:
        """Return per level the features at random vertices and one step along x, y and z."""
        ...


def distortion(
    weights: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
) -> Float[Tensor, "rays"]:
    """Return the distortion of a ray's weights, least for one short interval; in scene units.

    ``sum_ij w_i w_j |m_i - m_j| + 1/3 sum_i w_i^2 (t_i+1 - t_i)`` with mid-points m, in time linear
    in the samples. Samples are ordered along the ray; padding at its end adds nothing.

    Reference: Barron et al., "Mip-NeRF 360: Unbounded Anti-Aliased Neural Radiance Fields", CVPR
    2022, equation 15.
    """
    between = pairwise_spread(weights, 0.5 * (t_starts + t_ends))
    within = (weights.square() * (t_ends - t_starts)).sum(-1) / 3
    return between + within


@requires(positive("scale"))
def density_cauchy(
    densities: Float[Tensor, "*shape"], *, scale: float | int = 1.0
) -> Float[Tensor, "*shape"]:
    """Return the Cauchy sparsity of density, ``log(1 + 2 sigma^2 / scale^2)``, per sample.

    Quadratic below ``scale`` (per scene unit), logarithmic above, so that high densities are hardly
    affected.

    Reference: Hedman et al., "Baking Neural Radiance Fields for Real-Time View Synthesis" (SNeRG),
    ICCV 2021, whose c is ``scale^2 / 2``.
    """
    return torch.log1p(2 * (densities / scale).square())


def interlevel(
    weights: Float[Tensor, "rays samples"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    proposal_weights: Float[Tensor, "rays proposals"],
    proposal_t_starts: Float[Tensor, "rays proposals"],
    proposal_t_ends: Float[Tensor, "rays proposals"],
) -> Float[Tensor, "rays"]:
    """Return how much a proposal underestimates the weights: ``sum_i max(0, w_i - b_i)^2 / w_i``.

    b_i is the weight of all proposal intervals that overlap the sample's. No gradient flows into
    the weights: the term trains the proposal alone. 1e-7 is added to the divisor, for samples of
    weight 0.

    Reference: Barron et al., "Mip-NeRF 360: Unbounded Anti-Aliased Neural Radiance Fields", CVPR
    2022, equation 13.
    """
    bound = mass_of_overlaps(t_starts, t_ends, proposal_weights, proposal_t_starts, proposal_t_ends)
    w = weights.detach()
    return ((w - bound).clamp_min(0).square() / (w + 1e-7)).sum(-1)


@requires(count("vertices"))
def grid_tv(
    field: GridField, generator: Generator | None = None, *, vertices: int = 4096
) -> Float[Tensor, "levels"]:
    """Return the total variation of each level of the field's grid, at random vertices.

    The mean over ``vertices`` and features of ``sqrt(dx^2 + dy^2 + dz^2)``, the differences to the
    next vertex along each axis. The sum of squares is floored at 1e-12, below which the gradient is
    0. ``field`` is a `GridField`. Vertices that share a row of a hashed level share its gradient.

    Reference: Fridovich-Keil et al., "Plenoxels: Radiance Fields without Neural Networks", CVPR
    2022, its total variation term.
    """
    variations = []
    for own, *ahead in field.grid_neighbours(generator, vertices):
        squares = torch.stack([(each - own).square() for each in ahead]).sum(0)
        variations.append(squares.clamp_min(1e-12).sqrt().mean())
    return torch.stack(variations)


def grid_decay(field: GridField) -> Float[Tensor, ""]:
    """Return the weight decay of the grid, normalised per level: ``sum_l mean(V_l^2)``.

    V_l are the learned features of level l; ``field`` is a `GridField`. A plain sum of squares
    would be dominated by the finest level, which has most of the features.

    Reference: Barron et al., "Zip-NeRF: Anti-Aliased Grid-Based Neural Radiance Fields", ICCV 2023,
    its normalized weight decay.
    """
    return torch.stack([level.square().mean() for level in field.grid_levels()]).sum()
