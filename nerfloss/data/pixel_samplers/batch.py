"""A batch: rays and the targets observed along them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.image_storage import gather_rows
from nerfloss.data.pixel_samplers.backgrounds import background_colors
from nerfloss.data.pixel_samplers.pixel_runs import to_device
from nerfloss.data.scene import check_background
from nerfloss.data.views import Views
from nerfloss.geometry import Rays
from nerfloss.kernels.pixel_ops import pixel_positions

# Always gathered: PSNR and the watchdog are computed from these.
MONITORED = frozenset({"target_rgb", "target_mask"})
# Quantities of rays that are computed where a step needs them.
COMPUTED = frozenset({"axis_cosine"})


@dataclass(frozen=True)
class Batch:
    """Rays, per-ray targets (one row per ray), and global targets of a step."""

    rays: Rays
    targets: dict[str, Any]

    def with_targets(self, more: Mapping[str, Any]) -> "Batch":
        """Return the batch with additional targets."""
        return replace(self, targets={**self.targets, **more})


def gather_pixels(
    views: Views,
    cameras: Cameras,
    flat: Int[Tensor, "rays"],
    background: Float[Tensor, "rays 3"] | None,
    composite: bool,
    needs: Collection[str] | None = None,
) -> Batch:
    """Return rays and targets of pixels, given by flat indices over (view, row, column).

    ``cameras`` are those of the views; the batch is on their device. Targets are those in ``needs``
    (None: all), and always colour and mask. With ``composite`` colours are blended over
    ``background`` by the mask; where it is None, they are those of the photographs, and the
    background is what the views show behind the object.
    """
    width, height, device = cameras.width, cameras.height, cameras.poses.device
    wanted = views.offers if needs is None else {*needs, *MONITORED}
    stored_at = flat.to(views.rgb.device)
    # Transferred as stored: a quarter of the bytes that floats take. Converted on the device.
    pixels = {
        f"target_{name}": to_device(
            gather_rows(image.flatten(0, 2), stored_at, views.on_disk), device
        )
        for name, image in views.images.items()
        if f"target_{name}" in wanted or (name == "behind" and background is None)
    }
    flat = to_device(flat, device)
    view, pixel = pixel_positions(flat, width, height)
    composite = composite and background is not None
    if background is None:
        background = _as_quantity(pixels.pop("target_behind"))
    rays = cameras.rays(view, pixel, background)
    targets = {name: _as_quantity(values) for name, values in pixels.items()}
    if "axis_cosine" in wanted:
        targets["axis_cosine"] = (rays.directions * cameras.poses[view, :, 2]).sum(-1)
    if composite and "target_mask" in targets:
        alpha = targets["target_mask"][:, None]
        targets["target_rgb"] = alpha * targets["target_rgb"] + (1 - alpha) * rays.background
    return Batch(rays, targets)


def image_batch(views: Views, index: int, background: str) -> Batch:
    """Return a whole image in row-major order, composited on its background.

    ``random`` and ``auto`` backgrounds become white, so that scores are comparable; so does
    ``inpainted`` for views without masks.
    """
    check_background(background)
    width, height = views.cameras.size(index)
    pixels, stored = width * height, views.cameras.width
    rows = (index * views.cameras.height + torch.arange(height)) * stored
    flat = (rows[:, None] + torch.arange(width)).reshape(-1)
    known = background != "inpainted" or views.behind is not None
    kind = "white" if background in ("random", "auto") or not known else background
    colors = background_colors(kind, pixels, None, views.cameras.poses.device)
    return gather_pixels(views, views.cameras, flat, colors, kind != "none")


def _as_quantity(values: Tensor) -> Tensor:
    """Convert stored values: 8-bit images to floats in [0, 1], 16-bit labels to int64."""
    if values.dtype == torch.int16:
        return values.long()
    return values.float() / 255.0 if values.dtype == torch.uint8 else values.float()
