"""Terms on the colour corrections of images: small, and smooth over the image."""

import torch
from jaxtyping import Float
from torch import Tensor


def exposure_identity(exposure: Float[Tensor, "rays 3 4"]) -> Float[Tensor, "rays"]:
    """Return the squared distance of a ray's affine colour transform from the identity, ``|E|^2``.

    ``E = [A | b] - [I | 0]``, summed over its 12 entries. It also fixes the brightness of the
    scene, which images and corrections alone do not determine.

    Reference: Chen et al., "PGSR: Planar-based Gaussian Splatting for Efficient and High-Fidelity
    Surface Reconstruction", TVCG 2024, whose exposures have no such term.
    """
    identity = torch.eye(3, 4, dtype=exposure.dtype, device=exposure.device)
    return (exposure - identity).square().sum((-2, -1))


def bilateral_grid_tv(
    bilateral_grids: Float[Tensor, "images luminances rows columns 3 4"],
) -> Float[Tensor, "images"]:
    """Return the total variation of each image's bilateral grid: mean squared differences.

    Differences of neighbouring vertices are averaged along each axis and summed over the three; an
    axis with a single vertex has none.

    Reference: Wang et al., "Bilateral Guided Radiance Field Processing", SIGGRAPH 2024, its total
    variation regularization.
    """
    varied = [axis for axis in (1, 2, 3) if bilateral_grids.shape[axis] > 1]
    found = [bilateral_grids.diff(dim=axis).square().flatten(1).mean(1) for axis in varied]
    return torch.stack([*found, bilateral_grids.flatten(1)[:, 0] * 0]).sum(0)
