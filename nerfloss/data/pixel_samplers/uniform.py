"""Which pixels a step learns from: rays and their targets, drawn uniformly over all views."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from scipy.ndimage import maximum_filter
from torch import Tensor

from nerfloss.data.cameras.pinhole import Cameras
from nerfloss.data.global_targets import NEIGHBOURS, POINTS, GlobalTargets, with_all_views
from nerfloss.data.pixel_samplers.pixel_pool import PixelPool, sent, streams
from nerfloss.data.scene import check_background
from nerfloss.data.views import Views
from nerfloss.geometry import Rays

# Whatever the terms need: how a run goes is read from these (PSNR, the watchdog).
WATCHED = frozenset({"target_rgb", "target_mask"})


@dataclass(frozen=True)
class Batch:
    """Rays, what was observed along them (a row per ray), and what a step is given beside."""

    rays: Rays
    targets: dict[str, Any]

    def beside(self, more: Mapping[str, Any]) -> "Batch":
        """The batch with more targets."""
        return replace(self, targets={**self.targets, **more})


class UniformBatches:
    """Draw pixels uniformly over all views.

    With ``near_mask`` only pixels at most that many rows and columns away from the mask are drawn;
    without masks every pixel counts as near, until `narrow` says otherwise. Drawing depends on
    (seed, step, rays) and nothing else, so that a resumed run needs no state. Pixels are gathered
    where the images lie, and the batch is made of them on ``device``: to the same bits wherever
    they came from. Of what was observed only ``needs`` is gathered, None: every image; ``points``
    and ``neighbours`` are settings of `GlobalTargets`.
    """

    offers = staticmethod(with_all_views)

    # A batch can have a single ray.
    least_rays = 1

    def __init__(
        self,
        views: Views,
        *,
        background: str = "white",
        seed: int = 0,
        near_mask: int | None = None,
        device: torch.device | str = "cpu",
        needs: Collection[str] | None = None,
        points: int = POINTS,
        neighbours: int = NEIGHBOURS,
    ) -> None:
        check_masks_for(background, views)
        self.views, self.background = views, background
        self.seed, self.device, self._near = seed, torch.device(device), near_mask
        self.needs = needs
        self._around = GlobalTargets(
            views, needs or (), points=points, neighbours=neighbours, device=self.device
        )
        self._cameras = views.cameras.to(self.device)
        self._pool = PixelPool.of(*_all_pixels(views), self._around.place)
        if near_mask is not None and views.mask is not None:
            self._pool = PixelPool.of(*pixels_near(views.mask, near_mask), self._around.place)

    def narrow(self, seen: UInt8[Tensor, "views height width"]) -> None:
        """Draw only pixels that ``seen`` marks, unless it marks none or ``near_mask`` is None."""
        if self._near is not None and bool(seen.any()):
            self._pool = PixelPool.of(*pixels_near(seen, 0), self._around.place)

    @property
    def pixels(self) -> int:
        """How many different pixels there are to draw."""
        return self._pool.count

    @property
    def streams(self) -> bool:
        """Whether pixels lie elsewhere than on the device, so that it pays to ask early."""
        return streams(self.views, self.device)

    def draw(self, step: int, rays: int) -> Batch:
        """Draw a batch, with replacement; the same for the same (seed, step, rays)."""
        generator = step_generator(self.seed, step, rays)
        flat = self._pool.draw(rays, generator)
        background = background_colors(self.background, rays, generator, self.device)
        composite = self.background != "none"
        batch = gather(self.views, self._cameras, flat, background, composite, self.needs)
        return batch.beside(self._around(flat, generator))


def image_batch(views: Views, index: int, background: str) -> Batch:
    """A whole image in row-major order, composited on its background.

    A ``random`` background is for learning; here it means white, so that scores can be compared.
    """
    check_background(background)
    pixels = views.cameras.width * views.cameras.height
    flat = index * pixels + torch.arange(pixels)
    kind = "white" if background in ("random", "auto") else background
    background_color = background_colors(kind, pixels, None, views.cameras.poses.device)
    return gather(views, views.cameras, flat, background_color, kind != "none")


def check_masks_for(background: str, views: Views) -> None:
    """Raise ValueError unless these views can be drawn on the background."""
    check_background(background)
    if background == "random" and views.mask is None:
        raise ValueError("background='random' needs masks and found none; use white or none")


def pixels_near(
    mask: UInt8[Tensor, "views height width"], reach: int, patch: tuple[int, int] = (1, 1)
) -> tuple[Int[Tensor, "runs"], Int[Tensor, "runs+1"]]:
    """Runs of neighbouring pixels within ``reach`` rows and columns of the mask.

    With a ``patch`` (height, width) they are the top left corners of patches that lie whole in the
    image and whose middle is that near. Returns the flat index (over views, rows, columns) at which
    each run starts and how many pixels lie before it. A run per image row instead of an index per
    pixel keeps this about a thousand times smaller than the images.
    """
    starts, lengths = [], []
    pixels = mask.shape[1] * mask.shape[2]
    rows, columns = mask.shape[1] - patch[0] + 1, mask.shape[2] - patch[1] + 1
    top, left = patch[0] // 2, patch[1] // 2
    for view, image in enumerate(mask.cpu().numpy()):
        near = maximum_filter(image, size=2 * reach + 1, mode="constant") > 0
        near = near[top : top + rows, left : left + columns]
        edges = np.diff(np.pad(near, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        row, begin = np.nonzero(edges == 1)
        _, end = np.nonzero(edges == -1)
        starts.append(view * pixels + row * mask.shape[2] + begin)
        lengths.append(end - begin)
    bounds = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    return torch.from_numpy(np.concatenate(starts)), torch.from_numpy(bounds)


def _all_pixels(views: Views) -> tuple[Int[Tensor, "1"], Int[Tensor, "2"]]:
    """One run that holds every pixel of every view."""
    pixels = len(views) * views.cameras.width * views.cameras.height
    return torch.zeros(1, dtype=torch.int64), torch.tensor([0, pixels])


def step_generator(seed: int, step: int, rays: int) -> torch.Generator:
    """A fresh stream of random numbers for one step, unlike that of any neighbouring step."""
    mixed = np.random.SeedSequence([seed, step, rays]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))


def background_colors(
    kind: str, rays: int, generator: torch.Generator | None, device: torch.device
) -> Float[Tensor, "rays 3"]:
    """The colour behind each ray; black where the background is part of the image ("none").

    ``auto`` that no field has settled is white.
    """
    if kind == "random":
        return sent(torch.rand(rays, 3, generator=generator), device)
    return torch.full((rays, 3), 0.0 if kind in ("black", "none") else 1.0, device=device)


def gather(
    views: Views,
    cameras: Cameras,
    flat: Int[Tensor, "rays"],
    background: Float[Tensor, "rays 3"],
    composite: bool,
    needs: Collection[str] | None = None,
) -> Batch:
    """Rays and targets of the pixels with the given flat indices over views, rows and columns.

    ``cameras`` are those of the views; the batch is made where they are. Targets are those in
    ``needs`` (None: all), and always colour and mask.
    """
    width, height, device = cameras.width, cameras.height, cameras.poses.device
    place = views.rgb.device
    wanted = views.offers if needs is None else {*needs, *WATCHED}
    chosen = flat.to(place)
    # As they are stored, a fourth of what floats would take; what they mean is said on the device.
    pixels = {
        f"target_{name}": sent(image.flatten(0, 2).index_select(0, chosen), device)
        for name, image in views.observed.items()
        if f"target_{name}" in wanted
    }
    flat = sent(flat, device)
    view, within = flat // (width * height), flat % (width * height)
    pixel = torch.stack([within % width, within // width], dim=-1) + 0.5
    rays = cameras.rays(view, pixel, background)
    targets = {name: _as_quantity(values) for name, values in pixels.items()}
    if composite and "target_mask" in targets:
        alpha = targets["target_mask"][:, None]
        targets["target_rgb"] = alpha * targets["target_rgb"] + (1 - alpha) * rays.background
    return Batch(rays, targets)


def _as_quantity(values: Tensor) -> Tensor:
    """Stored values as a quantity's: 8-bit images as 0 to 1, numbers of things as whole ones."""
    if values.dtype == torch.int16:
        return values.long()
    return values.float() / 255.0 if values.dtype == torch.uint8 else values.float()
