"""Points of the surface that the training views show, by rendering rays of their pixels."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.assembly.eval_adapter import view_at
from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.evaluation.image_rendering import Render
from nerfloss.evaluation.oom_retry import ChunkSize
from nerfloss.geometry import Rays
from nerfloss.maths.compositing import median_distance

SAMPLES = ("weights", "t_starts", "t_ends")
WANTED = ("rgb", "opacity", "normal")


@dataclass(frozen=True)
class RenderedSurface:
    """Rendered pixels: the quantities of `WANTED` that the model offers, and a median depth.

    ``depth`` is the distance along the ray at which half of the light is absorbed, in scene units;
    0 where less than half is.
    """

    rays: Rays
    depth: Float[Tensor, "pixels"]
    values: Mapping[str, Tensor]

    @property
    def points(self) -> Float[Tensor, "pixels 3"]:
        """The surface points; the camera's centre where there is none."""
        return self.rays.origins + self.depth[:, None] * self.rays.directions


def render_surface(
    render: Render, rays: Rays, wanted: Collection[str], chunk: ChunkSize
) -> RenderedSurface:
    """Render rays, a ``chunk`` at a time; samples are not kept."""
    needs = frozenset({*SAMPLES, *wanted})

    def of_rows(rows: slice) -> dict[str, Tensor]:
        rendered = render(rays[rows], needs)
        found = {name: rendered[name].detach().float() for name in wanted}
        return found | {"depth": median_distance(*(rendered[name].detach() for name in SAMPLES))}

    with torch.no_grad():
        parts = list(chunk.results(of_rows, len(rays)))
    values = {name: torch.cat([part[name] for part in parts]) for name in (*wanted, "depth")}
    depth = values.pop("depth")
    return RenderedSurface(rays.to(depth.device), depth, values)


def random_surfaces(opened: OpenedRun, count: int, seed: int = 0) -> Iterator[RenderedSurface]:
    """Yield, view by view, what ``count`` pixels of all training views show.

    Pixels are drawn without replacement; of views with masks, those of the object only.
    """
    views, model = opened.scene.train, opened.model
    wanted = [name for name in WANTED if name in model.offers]
    generator = torch.Generator().manual_seed(seed)
    chunk = ChunkSize(opened.run.evaluator.chunk, "eval.chunk")
    for index in range(len(views)):
        opened.progress("views of points", index, len(views))
        share = count // len(views) + (index < count % len(views))
        view = view_at(opened.scene, "train", index)
        mask = view.batch.targets.get("target_mask")
        pixels = _allowed(mask, view.height * view.width)
        drawn = pixels[torch.randperm(len(pixels), generator=generator)[:share]]
        if len(drawn):
            rays = view.batch.rays[drawn.sort().values]
            yield render_surface(model.render_of(view), rays, wanted, chunk)
    opened.progress("views of points", len(views), len(views))


def _allowed(mask: Tensor | None, count: int) -> Int[Tensor, "pixels"]:
    return torch.arange(count) if mask is None else (mask.reshape(-1) > 0.5).nonzero()[:, 0].cpu()
