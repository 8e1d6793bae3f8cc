"""Analytic scenes by name: signed distance and texture, inside a ball of radius 0.8."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.data.synthetic.shapes import Sdf, balls, box, carve, frame, torus, union
from nerfloss.data.synthetic.texture import Texture, TexturedSolid

# Corners of an icosahedron on the unit sphere.
_A, _B = 0.525731, 0.850651
ICOSAHEDRON = [
    point
    for s in (-1, 1)
    for r in (-1, 1)
    for point in ((0, s * _A, r * _B), (s * _A, r * _B, 0), (r * _B, 0, s * _A))
]


@dataclass(frozen=True)
class Part:
    """One instance of a model: its signed distance and the name of its semantic class."""

    sdf: Sdf
    kind: str


@dataclass(frozen=True)
class Model:
    """A solid, its albedo, and its instances; without ``parts`` it is a single instance."""

    sdf: Sdf
    texture: Texture | TexturedSolid
    parts: tuple[Part, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the semantic classes; the first has number 1."""
        return tuple(dict.fromkeys(part.kind for part in self.parts)) or ("object",)

    def instances(self, points: Float[Tensor, "points 3"]) -> Int[Tensor, "points"]:
        """Return the number, from 1, of the instance nearest to each point."""
        if not self.parts:
            return torch.ones(len(points), dtype=torch.int64, device=points.device)
        return torch.stack([part.sdf(points) for part in self.parts]).argmin(0) + 1

    def classes(self, instances: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
        """Return the semantic class of instance numbers; 0 (background) stays 0."""
        class_of_part = [1 + self.kinds.index(part.kind) for part in self.parts] or [1]
        return instances.new_tensor([0, *class_of_part])[instances]


def craters() -> Model:
    """A ball with concavities that no silhouette shows, so the visual hull covers them."""
    large = balls([[0.90 * x for x in point] for point in ICOSAHEDRON[::2]], 0.36)
    small = balls([[0.92 * x for x in point] for point in ICOSAHEDRON[1::2]], 0.32)
    palette = ((0.96, 0.88, 0.70), (0.87, 0.62, 0.36), (0.62, 0.30, 0.20))
    body = carve(balls([[0.0, 0.0, 0.0]], 0.8), union(large, small), smooth=0.03)
    return Model(body, Texture(palette, core=(0.13, 0.50, 0.58), core_radius=0.70))


def sphere() -> Model:
    """A ball: its visual hull is exact, so that only colour has to be learned."""
    palette = ((0.20, 0.45, 0.75), (0.90, 0.85, 0.70), (0.25, 0.60, 0.35))
    return Model(balls([[0.0, 0.0, 0.0]], 0.75), Texture(palette, seed=1))


def rings() -> Model:
    """Three linked rings that do not touch: a shape of genus 3 in three components."""
    parts = [
        torus((-0.41, 0.0, 0.0), (0, 0, 1), 0.30, 0.08),
        torus((0.0, 0.0, 0.0), (0, 1, 0), 0.30, 0.08),
        torus((0.41, 0.0, 0.0), (0, 0, 1), 0.30, 0.08),
    ]
    palette = ((0.95, 0.75, 0.25), (0.85, 0.30, 0.30), (0.30, 0.35, 0.65))
    rings = tuple(Part(part, "ring") for part in parts)
    return Model(union(*parts), Texture(palette, seed=2), rings)


def boxes() -> Model:
    """Rotated boxes: flat faces, sharp edges, and concave corners."""
    rotated = ((0.8, 0.6, 0.0), (-0.6, 0.8, 0.0), (0.0, 0.0, 1.0))
    tilted = ((1.0, 0.0, 0.0), (0.0, 0.8, 0.6), (0.0, -0.6, 0.8))
    parts = [
        box((0.0, 0.0, -0.42), (0.46, 0.42, 0.10)),
        box((-0.12, 0.05, -0.07), (0.26, 0.22, 0.26), rotated),
        box((0.28, -0.10, -0.16), (0.12, 0.16, 0.22), tilted),
        box((-0.10, 0.04, 0.30), (0.34, 0.12, 0.10), tilted),
    ]
    palette = ((0.98, 0.96, 0.90), (0.92, 0.66, 0.40), (0.45, 0.62, 0.72))
    blocks = tuple(Part(part, "box") for part in parts)
    return Model(union(*parts), Texture(palette, checks=0.17, seed=3), blocks)


def blobs() -> Model:
    """Smoothly blended balls: no edges, with necks and saddle points."""
    centers = [(0.0, 0.0, -0.1), (0.42, 0.1, 0.15), (-0.35, 0.3, 0.1), (-0.1, -0.45, 0.0)]
    centers += [(0.05, 0.1, 0.48), (0.15, 0.3, -0.45)]
    radii = (0.34, 0.24, 0.26, 0.22, 0.20, 0.24)
    parts = [balls([center], radius) for center, radius in zip(centers, radii, strict=True)]
    palette = ((0.62, 0.88, 0.62), (0.95, 0.68, 0.76), (0.42, 0.46, 0.75))
    return Model(union(*parts, smooth=0.16), Texture(palette, seed=4))


def cage() -> Model:
    """Thin rods along the edges of a cube around a ball: finer than the cells of a coarse grid."""
    palette = ((0.95, 0.95, 0.90), (0.95, 0.58, 0.28), (0.35, 0.58, 0.68))
    parts = (Part(balls([[0.0, 0.0, 0.0]], 0.3), "ball"), Part(frame(0.44, 0.03), "rods"))
    return Model(union(*(part.sdf for part in parts)), Texture(palette, seed=5), parts)


def toys() -> Model:
    """Two balls, two boxes and two rings, separate: for instance and semantic labels."""
    rotated = ((0.8, 0.6, 0.0), (-0.6, 0.8, 0.0), (0.0, 0.0, 1.0))
    tilted = ((1.0, 0.0, 0.0), (0.0, 0.8, 0.6), (0.0, -0.6, 0.8))
    parts = (
        Part(balls([[0.50, 0.0, 0.05]], 0.24), "ball"),
        Part(balls([[0.0, -0.50, -0.05]], 0.21), "ball"),
        Part(box((-0.50, 0.0, 0.0), (0.14, 0.18, 0.13), rotated), "box"),
        Part(box((0.0, 0.50, -0.05), (0.18, 0.12, 0.16), tilted), "box"),
        Part(torus((0.0, 0.0, 0.52), (0.6, 0.0, 0.8), 0.18, 0.07), "ring"),
        Part(torus((0.0, 0.05, -0.52), (0.0, 0.8, 0.6), 0.17, 0.065), "ring"),
    )
    warm, cool = (0.95, 0.80, 0.45), (0.30, 0.45, 0.75)
    hues = [(0.85, 0.30, 0.25), (0.90, 0.55, 0.20), (0.30, 0.60, 0.35)]
    hues += [(0.25, 0.55, 0.60), (0.45, 0.35, 0.70), (0.75, 0.40, 0.60)]
    textures = tuple(Texture((hue, warm, cool), seed=6 + i) for i, hue in enumerate(hues))
    solids = tuple(part.sdf for part in parts)
    return Model(union(*solids), TexturedSolid(solids, textures), parts)


def plates() -> Model:
    """Thin plates with sharp checkers inside of a separate ring: fine parts and fine colours."""
    tilted = ((1.0, 0.0, 0.0), (0.0, 0.8, 0.6), (0.0, -0.6, 0.8))
    turned = ((0.8, 0.6, 0.0), (-0.6, 0.8, 0.0), (0.0, 0.0, 1.0))
    thin = (
        Part(box((-0.22, 0.0, -0.05), (0.015, 0.34, 0.30)), "plate"),
        Part(box((0.05, 0.0, 0.0), (0.02, 0.26, 0.36), turned), "plate"),
        Part(box((0.30, 0.05, 0.0), (0.14, 0.30, 0.02), tilted), "plate"),
        Part(torus((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 0.70, 0.04), "ring"),
    )
    palette = ((0.95, 0.90, 0.75), (0.80, 0.45, 0.35), (0.35, 0.45, 0.65))
    checked = Texture(palette, checks=0.09, check_contrast=0.4, check_sharpness=30.0, seed=12)
    return Model(union(*(part.sdf for part in thin)), checked, thin)


MODELS: dict[str, Callable[[], Model]] = {
    model.__name__: model for model in (craters, sphere, rings, boxes, blobs, cage, toys, plates)
}
