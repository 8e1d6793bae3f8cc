"""Whole images from a renderer that answers rays: a few rays at a time, results as images."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from nerfloss.rays import Rays

Render = Callable[[Rays, Collection[str]], Mapping[str, Tensor]]


@runtime_checkable
class ImageBatch(Protocol):
    """The rays of a whole image in row-major order, and what was observed along them."""

    @property
    def rays(self) -> Rays: ...
    @property
    def targets(self) -> Mapping[str, Tensor]: ...


@dataclass(frozen=True)
class View:
    """An image to be judged: its name, its rays and targets, and its size in pixels."""

    name: str
    batch: ImageBatch
    height: int
    width: int

    def __post_init__(self) -> None:
        if len(self.batch.rays) != self.height * self.width:
            raise ValueError(
                f"view '{self.name}' is {self.height} x {self.width} pixels but has "
                f"{len(self.batch.rays)} rays; give it every pixel, row by row"
            )

    def as_image(self, value: Tensor) -> Tensor:
        """A quantity per ray laid out as an image: ``height width ...``."""
        return value.reshape(self.height, self.width, *value.shape[1:])


def render_view(
    render: Render, view: View, needs: Collection[str], *, chunk: int
) -> dict[str, Tensor]:
    """The needed quantities of a whole view as images, rendered ``chunk`` rays at a time.

    Only per-ray quantities make an image. Memory is that of one chunk plus the images.
    """
    if not needs:
        return {}
    parts: dict[str, list[Tensor]] = {name: [] for name in needs}
    with torch.no_grad():
        for rays in view.batch.rays.chunks(chunk):
            made = render(rays, needs)
            for name in needs:
                parts[name].append(made[name].detach().float())
    return {name: view.as_image(torch.cat(part)) for name, part in parts.items()}
