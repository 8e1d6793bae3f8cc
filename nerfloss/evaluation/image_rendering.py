"""Render whole images with a renderer of rays, in chunks."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool
from torch import Tensor

from nerfloss.evaluation.oom_retry import ChunkSize
from nerfloss.geometry import Rays

Render = Callable[[Rays, Collection[str]], Mapping[str, Tensor]]


@runtime_checkable
class ImageBatch(Protocol):
    """The rays of a whole image in row-major order, and the quantities observed along them."""

    @property
    def rays(self) -> Rays: ...
    @property
    def targets(self) -> Mapping[str, Tensor]: ...


@dataclass(frozen=True)
class View:
    """An image to evaluate on: its name, its rays and targets, and its size in pixels.

    ``counts`` marks the pixels that count; None: all do. ``thinned_from`` is the width and height
    of the image of which these are every n-th pixel; None: they are all of it.
    """

    name: str
    batch: ImageBatch
    height: int
    width: int
    counts: Bool[Tensor, "height width"] | None = None
    thinned_from: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if len(self.batch.rays) != self.height * self.width:
            raise ValueError(
                f"view '{self.name}' is {self.height} x {self.width} pixels but has "
                f"{len(self.batch.rays)} rays; give it every pixel, row by row"
            )

    @property
    def image_size(self) -> tuple[int, int]:
        """Return the width and height of the image, in which pixels have their coordinates."""
        return self.thinned_from or (self.width, self.height)

    def as_image(self, value: Tensor) -> Tensor:
        """Return a per-ray quantity in the shape of an image: ``height width ...``."""
        return value.reshape(self.height, self.width, *value.shape[1:])

    def thinned(self, most: int) -> "View":
        """Return the view with every n-th pixel of every n-th row, at most ``most`` pixels."""
        every = 1
        while -(-self.height // every) * -(-self.width // every) > most:
            every += 1
        if every == 1:
            return self
        pixels = torch.arange(self.height * self.width).reshape(self.height, self.width)
        kept = pixels[::every, ::every]
        rows, targets = kept.flatten(), self.batch.targets
        thin = PlainBatch(self.batch.rays[rows], {k: v[rows] for k, v in targets.items()})
        counts = None if self.counts is None else self.counts[::every, ::every]
        return View(self.name, thin, len(kept), len(kept[0]), counts, (self.width, self.height))


@dataclass(frozen=True)
class PlainBatch:
    """Rays and targets that are given."""

    rays: Rays
    targets: Mapping[str, Tensor]


def render_view(
    render: Render, view: View, needs: Collection[str], *, chunk: ChunkSize
) -> dict[str, Tensor]:
    """Return the per-ray quantities in ``needs`` as images, rendered a ``chunk`` at a time.

    Takes the memory of one chunk and of the images.
    """
    if not needs:
        return {}
    rays = view.batch.rays

    def render_rows(rows: slice) -> dict[str, Tensor]:
        rendered = render(rays[rows], needs)
        return {name: rendered[name].detach().float() for name in needs}

    with torch.no_grad():
        parts = list(chunk.results(render_rows, len(rays)))
    return {name: view.as_image(torch.cat([part[name] for part in parts])) for name in needs}


def as_observed_where_ignored(
    rendered: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    counts: Bool[Tensor, "height width"] | None,
) -> dict[str, Tensor]:
    """Return rendered images that equal the observed ones at pixels that do not count.

    Such pixels have no error in any metric, as in nerfstudio, which blacks out both images there.
    """
    if counts is None:
        return dict(rendered)
    keep = counts.to(next(iter(rendered.values())).device) if rendered else counts
    observed = {name: targets.get(f"target_{name}") for name in rendered}
    return {
        name: image
        if (target := observed[name]) is None or target.shape != image.shape
        else torch.where(keep.reshape(keep.shape + (1,) * (image.ndim - 2)), image, target)
        for name, image in rendered.items()
    }
