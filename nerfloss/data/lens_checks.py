"""Checks of lens coefficients: do they fit the size and the focal length of the image?"""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.cameras.camera import PERSPECTIVE, Camera
from nerfloss.kernels.lens import EQUIRECTANGULAR, direction_to_pixel, pixel_to_direction

GRID = 33  # pixels per axis that are tried
RETURNS = 0.1  # pixels: a direction that is found comes back far closer
STRETCH = 2.0  # no lens moves the corner of a photograph this many times outward


def lens_lines(cameras: Sequence[Camera], names: Sequence[str]) -> Iterator[str]:
    """Return a line for lenses that leave pixels without a direction, or stretch the image.

    Such coefficients are of another image size or model, or damaged.
    """
    folded: dict[Camera, float] = {}
    stretched: dict[Camera, float] = {}
    for camera in dict.fromkeys(cameras):
        if not camera.distorted or camera.projection == EQUIRECTANGULAR:
            continue
        share, stretch = pixels_without_direction(camera), corner_stretch(camera)
        if share > 0:
            folded[camera] = share
        elif stretch > STRETCH:
            stretched[camera] = stretch
    advice = "are the coefficients those of this camera model and focal length?"
    if folded:
        yield (
            f"{max(folded.values()):.0%} of the pixels of {_views(cameras, folded, names)} have no "
            f"direction: the lens model folds back inside of the image; {advice}"
        )
    if stretched:
        yield (
            f"the lens of {_views(cameras, stretched, names)} moves the image's corner "
            f"{max(stretched.values()):.3g} times outward; {advice}"
        )


def pixels_without_direction(camera: Camera) -> float:
    """Return the share of the image that no direction reaches, or only one beyond the fold."""
    pixels, lens = _grid(camera)
    back, depth = direction_to_pixel(pixel_to_direction(pixels, lens), lens)
    # A fisheye camera sees behind itself, where its depth stays positive.
    lost = ((back - pixels).abs().amax(1) > RETURNS) | (depth <= 0)
    return float(lost.double().mean())


def corner_stretch(camera: Camera) -> float:
    """Return how many times farther from the axis a perspective lens shows the farthest corner.

    1 for other projections, whose corners may be at any angle.
    """
    if camera.projection != PERSPECTIVE:
        return 1.0
    pixels, lens = _grid(camera)
    shown = ((pixels - lens[:, 3:5]) / lens[:, 1:3]).norm(dim=1)
    x, y, z = pixel_to_direction(pixels, lens).unbind(1)
    corner = int(shown.argmax())
    straight = float(torch.hypot(x, y)[corner] / z[corner])
    return float(shown[corner]) / max(straight, 1e-300)


def _grid(camera: Camera) -> tuple[Float[Tensor, "pixels 2"], Float[Tensor, "pixels 17"]]:
    """Return pixel centres that cover the image evenly, and the lens of each."""
    columns = torch.linspace(0.5, camera.width - 0.5, GRID, dtype=torch.float64)
    rows = torch.linspace(0.5, camera.height - 0.5, GRID, dtype=torch.float64)
    pixels = torch.cartesian_prod(columns, rows)
    lens = torch.tensor(camera.row, dtype=torch.float64).expand(len(pixels), -1).contiguous()
    return pixels, lens


def _views(cameras: Sequence[Camera], which: dict[Camera, float], names: Sequence[str]) -> str:
    picked = [name for camera, name in zip(cameras, names, strict=True) if camera in which]
    more = " ..." if len(picked) > 4 else ""
    return f"{len(picked)} of {len(names)} views ({', '.join(picked[:4])}{more})"
