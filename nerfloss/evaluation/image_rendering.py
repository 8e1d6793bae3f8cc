"""Whole images from a renderer that answers rays: a few rays at a time, results as images."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from nerfloss.evaluation.oom_retry import ChunkSize
from nerfloss.geometry import Rays

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
    render: Render, view: View, needs: Collection[str], *, chunk: ChunkSize
) -> dict[str, Tensor]:
    """The needed quantities of a whole view as images, rendered a ``chunk`` of rays at a time.

    Only per-ray quantities make an image. Memory is that of one chunk plus the images.
    """
    if not needs:
        return {}
    rays = view.batch.rays

    def rendered(some: slice) -> dict[str, Tensor]:
        made = render(rays[some], needs)
        return {name: made[name].detach().float() for name in needs}

    with torch.no_grad():
        parts = list(chunk.results(rendered, len(rays)))
    return {name: view.as_image(torch.cat([part[name] for part in parts])) for name in needs}
