"""A ball with an exact rendering, signed distance and colours."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from nerfloss.evaluation.image_rendering import View
from nerfloss.evaluation.inputs import EvaluatedModel
from nerfloss.geometry import Rays, intersect_sphere

RADIUS = 0.6


@dataclass(frozen=True)
class ToyBatch:
    rays: Rays
    targets: dict[str, Tensor]


class Ball:
    """A renderer of a ball coloured by its normals; ``asked`` records its calls."""

    offers = frozenset({"rgb", "opacity", "depth", "normal", "weights"})

    def __init__(self, radius: float = RADIUS) -> None:
        self.radius = radius
        self.asked: list[tuple[int, frozenset[str]]] = []

    def sdf(self, points: Tensor) -> Tensor:
        return points.norm(dim=1) - self.radius

    def colors(self, points: Tensor, normals: Tensor, directions: Tensor) -> Tensor:  # noqa: ARG002
        return (normals + 1) / 2

    def render(self, rays: Rays, needs: Collection[str]) -> dict[str, Tensor]:
        self.asked.append((len(rays), frozenset(needs)))
        enter, leave = intersect_sphere(rays, self.radius)
        hit = leave > enter
        normal = (rays.origins + enter[:, None] * rays.directions) / self.radius * hit[:, None]
        rgb = torch.where(hit[:, None], (normal + 1) / 2, rays.background)
        rendered = {"rgb": rgb, "opacity": hit.float(), "depth": enter, "normal": normal}
        return {name: rendered[name] for name in needs}


def camera_rays(size: int) -> Rays:
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    pixel = torch.stack([column.flatten(), row.flatten()], 1) + 0.5
    across = torch.cat([(pixel / size - 0.5) * 0.8, torch.ones(size * size, 1)], 1)
    return Rays(
        origins=torch.tensor([0.0, 0.0, -3.0]).expand(size * size, 3),
        directions=torch.nn.functional.normalize(across, dim=1),
        pixel=pixel,
        view=torch.zeros(size * size, dtype=torch.long),
        background=torch.ones(size * size, 3),
    )


def view_of(ball: Ball, size: int = 64, name: str = "front.png") -> View:
    """Return a view whose targets are the rendering of the ball."""
    rays = camera_rays(size)
    rendered = ball.render(rays, ("rgb", "opacity", "depth", "normal"))
    names = {"rgb": "rgb", "opacity": "mask", "depth": "depth", "normal": "normal"}
    return View(
        name, ToyBatch(rays, {f"target_{names[k]}": v for k, v in rendered.items()}), size, size
    )


def model_of(ball: Ball) -> EvaluatedModel:
    box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
    return EvaluatedModel(ball.render, ball.offers, box, ball.sdf, ball.colors)
