"""Background colours behind the rays of a batch."""

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.pixel_samplers.pixel_runs import to_device
from nerfloss.data.scene import check_background
from nerfloss.data.views import Views


def background_colors(
    kind: str, rays: int, generator: torch.Generator | None, device: torch.device
) -> Float[Tensor, "rays 3"] | None:
    """Return the colour behind each ray; black where the background is part of the image (none).

    ``auto`` counts as white. None for ``inpainted``: the views have it for each pixel.
    """
    if kind == "inpainted":
        return None
    if kind == "random":
        return to_device(torch.rand(rays, 3, generator=generator), device)
    return torch.full((rays, 3), 0.0 if kind in ("black", "none") else 1.0, device=device)


def check_background_for(background: str, views: Views) -> None:
    """Raise ValueError for an unknown background, or one that needs masks without them."""
    check_background(background)
    if background == "inpainted" and views.behind is None:
        raise ValueError("background='inpainted' needs Views.with_inpainted_background()")
    if background == "random" and views.mask is None:
        raise ValueError("background='random' needs masks and found none; use white or none")
