"""Surroundings of a synthetic scene: a large textured sphere around object and cameras."""

from dataclasses import replace

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nerfloss.data.synthetic.texture import Texture
from nerfloss.data.views import Views
from nerfloss.geometry import Rays, intersect_sphere

SURROUNDINGS = ("none", "sphere")
RADIUS = 5.0
# Seen from the inside: contrast of a room, with detail of a few degrees.
TEXTURE = Texture(
    ((0.85, 0.80, 0.72), (0.42, 0.52, 0.60), (0.30, 0.26, 0.22)),
    wavelengths=(0.9, 0.4, 0.2),
    seed=9,
)


def check_surroundings(surroundings: str) -> None:
    """Raise ValueError for unknown surroundings."""
    if surroundings not in SURROUNDINGS:
        choices = ", ".join(SURROUNDINGS)
        raise ValueError(f"dataset.surroundings={surroundings!r} is none of {choices}")


def with_surroundings(views: Views, surroundings: str) -> Views:
    """Return the views with the surroundings behind the object, in the images only.

    The masks still are those of the object.
    """
    if surroundings == "none" or views.mask is None:
        return views
    rgb = torch.stack([_image(views, view) for view in range(len(views))])
    return replace(views, rgb=rgb)


def sphere_colors(rays: Rays) -> Float[Tensor, "rays 3"]:
    """Return the colour of the sphere, for rays that start in it."""
    _, distance = intersect_sphere(rays, RADIUS)
    points = rays.origins + distance[:, None] * rays.directions
    return TEXTURE(points / RADIUS)


def _image(views: Views, view: int) -> UInt8[Tensor, "height width 3"]:
    assert views.mask is not None
    width, height = views.cameras.size(view)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixel = torch.stack([columns, rows], -1).reshape(-1, 2) + 0.5
    which = torch.full((len(pixel),), view)
    rays = views.cameras.rays(which, pixel, torch.zeros(len(pixel), 3))
    behind = sphere_colors(rays).reshape(height, width, 3)
    alpha = views.mask[view, ..., None].float() / 255
    mixed = alpha * views.rgb[view].float() / 255 + (1 - alpha) * behind
    return (mixed * 255 + 0.5).to(torch.uint8)
