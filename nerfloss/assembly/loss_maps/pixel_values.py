"""Values of a term, in whatever shape it returns them, as values of pixels."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nerfloss.assembly.loss_maps.pixel_layout import Shape

# How values become one per pixel, for captions.
RAY = "value of the ray"
COMPOSITED = "values of the samples, composited along the ray"
ALONG_RAY = "mean of the values along the ray"
PATCH_PIXEL = "value at the pixel, of patches of {0} x {1}"
WHOLE_PATCH = "value of the patch of {0} x {1}, on each of its pixels"


class NotDrawable(Exception):
    """The term has no value per pixel; the message is the reason."""


@dataclass(frozen=True)
class Evaluated:
    """Values of a term on a chunk of rays, and what it takes to draw them.

    ``keep`` is the quantity of ``where``. ``weights`` are those of the samples, and ``missed``
    marks rays without any, for a term that takes quantities of samples; ``patch`` is given for a
    term on patches. ``axes`` names the axes of the values where they are no pixels or samples, as
    frequencies.
    """

    errors: Tensor
    keep: Tensor | None
    rays: int
    weights: Float[Tensor, "rays samples"] | None = None
    missed: Bool[Tensor, "rays"] | None = None
    patch: Shape | None = None
    axes: str = ""

    @property
    def patches(self) -> int:
        return 0 if self.patch is None else self.rays // (self.patch[0] * self.patch[1])


@dataclass(frozen=True)
class PixelValues:
    """Drawn value, kept sum and kept number at some of the chunk's rays, as in `TermMap`.

    ``rays`` are their indices in the chunk; ``drawn`` says how they came about. ``footprint`` is
    the number of (rows, columns) of a patch that have values; None if no patch.
    """

    rays: Int[Tensor, "pixels"]
    values: Float[Tensor, "pixels"]
    sums: Float[Tensor, "pixels"]
    kept: Float[Tensor, "pixels"]
    drawn: str
    footprint: Shape | None = None


def pixel_values(found: Evaluated) -> PixelValues:
    """Return the values as those of pixels. Raises NotDrawable where they are none."""
    errors = found.errors
    if errors.ndim == 0:
        raise NotDrawable("one value for all rays together")
    keep = _expanded(found.keep, errors)
    if len(errors) == found.rays:
        return _of_rays(found, keep)
    if found.patch is not None and len(errors) == found.patches:
        return _of_patches(found, keep, found.patch)
    raise NotDrawable(f"values of shape {tuple(errors.shape)}, neither one per ray nor per patch")


def _of_rays(found: Evaluated, keep: Tensor) -> PixelValues:
    errors, weights = found.errors, found.weights
    sums = _kept(errors, keep).reshape(found.rays, -1).sum(-1)
    kept = keep.reshape(found.rays, -1).sum(-1)
    values, drawn = sums / kept, RAY  # 0 / 0 is NaN: the term says nothing there
    if weights is not None and errors.ndim > 1:
        drawn = ALONG_RAY
        if errors.shape[1] == weights.shape[1] and not found.axes:
            selected = _kept(errors, keep).reshape(*weights.shape, -1).mean(-1)
            values = torch.where(kept > 0, (weights * selected).sum(-1), torch.nan)
            drawn = COMPOSITED
    if found.missed is not None:
        values = torch.where(found.missed, torch.nan, values)
    everything = torch.arange(found.rays, device=errors.device)
    return PixelValues(everything, values, sums, kept, drawn)


def _of_patches(found: Evaluated, keep: Tensor, patch: Shape) -> PixelValues:
    errors, count = found.errors, found.patches
    pixels = torch.arange(found.rays, device=errors.device).reshape(count, *patch)
    if errors.ndim < 3 or found.axes:
        sums = _kept(errors, keep).reshape(count, -1).sum(-1)
        kept = keep.reshape(count, -1).sum(-1)
        # Each pixel has its share, so that the sums over a patch are those of the patch.
        sums, kept = (x[:, None].expand(-1, patch[0] * patch[1]) for x in (sums, kept))
        share = 1 / (patch[0] * patch[1])
        return PixelValues(
            pixels.reshape(-1),
            (sums / kept).reshape(-1),
            (sums * share).reshape(-1),
            (kept * share).reshape(-1),
            WHOLE_PATCH.format(*patch),
            patch,
        )
    rows, columns = errors.shape[1:3]
    if rows > patch[0] or columns > patch[1]:
        raise NotDrawable(f"values of shape {tuple(errors.shape)}, more than a patch has pixels")
    # Where a window of several pixels gives one value, it is drawn at the window's middle.
    top, left = (patch[0] - rows) // 2, (patch[1] - columns) // 2
    at = pixels[:, top : top + rows, left : left + columns].reshape(-1)
    sums = _kept(errors, keep).reshape(len(at), -1).sum(-1)
    kept = keep.reshape(len(at), -1).sum(-1)
    drawn = PATCH_PIXEL.format(*patch)
    return PixelValues(at, sums / kept, sums, kept, drawn, (rows, columns))


def _expanded(keep: Tensor | None, errors: Tensor) -> Tensor:
    """Return the weights of the values, as the recipe's mean takes them, in their shape."""
    if keep is None:
        return torch.ones_like(errors)
    keep = keep.detach().reshape(keep.shape + (1,) * (errors.ndim - keep.ndim))
    return keep.to(errors.dtype).expand_as(errors)


def _kept(errors: Tensor, keep: Tensor) -> Tensor:
    # Multiplying by a weight of 0 would keep a NaN.
    return torch.where(keep > 0, errors * keep, 0.0)
