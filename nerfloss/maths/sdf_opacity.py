"""Conversions from a signed distance to opacity: NeuS and VolSDF.

Letters: s is the sharpness (NeuS's ``s``, the inverse of VolSDF's ``beta``), Phi the sigmoid.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def neus_alphas(
    sdf: Float[Tensor, "rays samples"],
    gradients: Float[Tensor, "rays samples 3"],
    directions: Float[Tensor, "rays 3"],
    t_starts: Float[Tensor, "rays samples"],
    t_ends: Float[Tensor, "rays samples"],
    sharpness: Float[Tensor, ""],
    progress: float,
    *,
    anneal_end: float = 0.0,
) -> Float[Tensor, "rays samples"]:
    """Return the opacity of intervals from the SDF and its gradient at their mid-points.

    ``alpha = max(0, (Phi(s f_before) - Phi(s f_after)) / Phi(s f_before))``, where the SDF is
    extrapolated by half the interval to either side. Only a decreasing SDF is opaque; until
    ``anneal_end`` (a fraction of the training) an increasing one is blended in, so that gradients
    reach surfaces that face away. An interval of length 0 has opacity 0.

    Reference: Wang et al., "NeuS", NeurIPS 2021, eq. 13, and its released code for the annealing.
    """
    cosine = (gradients * directions[:, None]).sum(-1)
    anneal = min(1.0, progress / anneal_end) if anneal_end > 0 else 1.0
    early = torch.relu(0.5 - 0.5 * cosine)
    slope = -(early * (1 - anneal) + torch.relu(-cosine) * anneal)
    change = 0.5 * slope * (t_ends - t_starts)
    before = torch.sigmoid(sharpness * (sdf - change))
    after = torch.sigmoid(sharpness * (sdf + change))
    # Deep inside both are 0; the added term makes such a sample transparent instead of 0 / 0.
    return ((before - after) / (before + 1e-5)).clamp(0.0, 1.0)


def neus_densities(
    sdf: Float[Tensor, "*points"], sharpness: Float[Tensor, ""]
) -> Float[Tensor, "*points"]:
    """Return the density of a ray that meets the surface perpendicularly: ``s (1 - Phi(s f))``.

    The opaque density of NeuS for a derivative of -1. Samplers use it to place samples.

    Reference: Wang et al., "NeuS", NeurIPS 2021, eq. 10.
    """
    return sharpness * torch.sigmoid(-sharpness * sdf)


def volsdf_densities(
    sdf: Float[Tensor, "*points"], sharpness: Float[Tensor, ""]
) -> Float[Tensor, "*points"]:
    """Return the density ``s Psi(-f)``, Psi the Laplace CDF of scale 1/s.

    Reference: Yariv et al., "Volume Rendering of Neural Implicit Surfaces", NeurIPS 2021, eq. 2-3.
    """
    tail = 0.5 * torch.exp(-sharpness * sdf.abs())
    return sharpness * torch.where(sdf > 0, tail, 1 - tail)
