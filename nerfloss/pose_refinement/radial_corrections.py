"""Corrections of radial distortion: of rays, and the lenses that have these rays.

A correction ``(c1, c2)`` multiplies the offset ``u`` of a ray from the viewing direction, in units
of the focal length, by ``1 + c1 |u|^2 + c2 |u|^4``. The offsets are undistorted ones, so that a ray
depends on it in closed form; the coefficients of a lens, whose formula goes the other way, are
fitted (`corrected_lens`).
"""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.cameras.camera import MODELS, Camera
from nerfloss.data.cameras.cameras import Cameras
from nerfloss.geometry import Rays
from nerfloss.kernels.lens import COEFFICIENTS, COLUMNS, distort, invertible_radius
from nerfloss.kernels.lens import pixel_to_direction as direction_of_pixel

# Pixels per edge of an image to which the coefficients of a lens are fitted.
FITTED = 32
COLUMN: dict[str, int] = {name: index for index, name in enumerate(COLUMNS)}
RADIAL = [COLUMN[name] for name in ("k1", "k2", "k3")]


def radially_corrected_rays(
    rays: Rays, corrections: Float[Tensor, "rays 2"], axes: Float[Tensor, "rays 3"]
) -> Rays:
    """Return rays after a correction of the radial distortion of each ray's lens.

    ``axes`` are the viewing directions of the rays' cameras. Differentiable in the corrections.
    """
    along = (rays.directions * axes).sum(-1, keepdim=True)
    offset = rays.directions - along * axes
    q = offset.square().sum(-1, keepdim=True) / along.square()
    factor = 1 + q * (corrections[:, :1] + q * corrections[:, 1:])
    turned = along * axes + factor * offset
    return replace(rays, directions=turned / turned.square().sum(-1, keepdim=True).sqrt())


def radially_corrected(cameras: Cameras, corrections: Float[Tensor, "views 2"]) -> Cameras:
    """Return cameras whose rays are those of `radially_corrected_rays`."""
    lens = cameras.lens
    if lens is None:
        lens = torch.zeros(len(cameras), len(COLUMNS), dtype=torch.float64)
        lens[:, 1], lens[:, 2] = (cameras.intrinsics[:, i, i].double().cpu() for i in (0, 1))
        lens[:, 3:5] = cameras.intrinsics[:, :2, 2].double().cpu()
        lens[:, COLUMN["q_max"]] = math.inf
    fitted = [
        corrected_lens(row, cameras.size(view), correction)
        for view, (row, correction) in enumerate(
            zip(lens.cpu(), corrections.detach().double().cpu(), strict=True)
        )
    ]
    return replace(cameras, lens=torch.stack(fitted).to(cameras.poses.device))


def corrected_lens(
    lens: Float[Tensor, "17"], size: tuple[int, int], correction: Float[Tensor, "2"]
) -> Float[Tensor, "17"]:
    """Return the row of a perspective lens after a correction.

    Its k1 and k2, and k3 where the lens has it or a denominator, are fitted to the corrected rays
    of an image of ``size`` (width, height) by linear least squares. A correction of 0 changes
    nothing.
    """
    if not bool(correction.any()):
        return lens
    axes = [(torch.arange(FITTED, dtype=torch.float64) + 0.5) * length / FITTED for length in size]
    pixels = torch.cartesian_prod(*axes)
    rows = lens.expand(len(pixels), -1)
    directions = direction_of_pixel(pixels, rows)
    ab = directions[:, :2] / directions[:, 2:]
    q = ab.square().sum(-1, keepdim=True)
    ab = ab * (1 + q * (correction[0] + q * correction[1]))
    q = ab.square().sum(-1, keepdim=True)
    # Without its radial numerator the lens gives what the powers of q are added to.
    constant = lens.clone()
    constant[[*RADIAL, COLUMN["k4"]]] = 0
    rest = (pixels - lens[3:5]) / lens[1:3] - distort(ab, constant.expand(len(pixels), -1))
    denominator = [lens[COLUMN[name]] for name in ("d1", "d2", "d3")]
    below = 1 + q * (denominator[0] + q * (denominator[1] + q * denominator[2]))
    more = bool(lens[RADIAL[2]] != 0) or any(bool(d != 0) for d in denominator)
    powers = torch.stack([ab * q**power / below for power in range(1, 4 if more else 3)], -1)
    found = torch.linalg.lstsq(powers.reshape(-1, powers.shape[-1]), rest.reshape(-1, 1)).solution
    corrected = constant
    corrected[RADIAL[: len(found)]] = found[:, 0]
    first = COLUMN[COEFFICIENTS[0]]
    coefficients = tuple(corrected[first : first + len(COEFFICIENTS)].tolist())
    corrected[COLUMN["q_max"]] = invertible_radius(int(lens[0]), coefficients)
    return corrected


def radially_corrected_camera(camera: Camera, correction: Float[Tensor, "2"]) -> Camera:
    """Return a perspective camera after a correction, as OPENCV or FULL_OPENCV."""
    if not bool(correction.any()):
        return camera
    row = torch.tensor(camera.row, dtype=torch.float64)
    row = corrected_lens(row, (camera.width, camera.height), correction.double())
    values: dict[str, float] = dict(zip(COLUMNS, row.tolist(), strict=True))
    full = any(values[name] for name in ("k3", "d1", "d2", "d3"))
    model = "FULL_OPENCV" if full else "OPENCV"
    names = MODELS[model].parameters
    return replace(camera, model=model, params=tuple(values[name] for name in names))
