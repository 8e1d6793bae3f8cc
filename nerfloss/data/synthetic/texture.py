"""Procedural solid textures, with enough detail to be matched across views."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.synthetic.shapes import length


@dataclass(frozen=True)
class Texture:
    """Three colours, mixed by band-limited noise, with an optional checkerboard.

    ``wavelengths`` of the noise are in scene units, coarse to fine. ``checks`` is the edge length
    of the checkerboard, 0 for none; its squares differ by the fraction ``check_contrast`` of the
    brightness to either side, and its borders are the steeper the larger ``check_sharpness``.
    Within ``core_radius`` of the origin the colour blends to
    ``core``. ``seed`` selects the noise.
    """

    palette: Sequence[Sequence[float]]
    wavelengths: Sequence[float] = (0.7, 0.3, 0.14)
    checks: float = 0.0
    check_contrast: float = 0.15
    check_sharpness: float = 4.0
    core: Sequence[float] = (0.0, 0.0, 0.0)
    core_radius: float = 0.0
    seed: int = 0

    def __call__(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
        """Return the albedo at points, in [0, 1]."""
        noise = [self._noise(points, index) for index in range(len(self.wavelengths))]
        colors = points.new_tensor(self.palette)
        first = torch.sigmoid(3.0 * noise[0] + 1.0 * noise[1])[:, None]
        second = torch.sigmoid(5.0 * noise[1] + 1.5 * noise[-1] - 2.0)[:, None]
        mixed = torch.lerp(torch.lerp(colors[0], colors[1], first), colors[2], 0.75 * second)
        if self.core_radius > 0:
            depth = self.core_radius - length(points) + 0.04 * noise[1]
            mixed = torch.lerp(
                mixed, points.new_tensor(self.core), 0.7 * torch.sigmoid(25 * depth)[:, None]
            )
        brightness = 1.0 + 0.16 * noise[-1]
        if self.checks > 0:
            contrast = self.check_contrast
            brightness = brightness * (1 - contrast + contrast * self._checks(points))
        return (mixed * brightness[:, None]).clamp(0.0, 1.0)

    def _noise(
        self, points: Float[Tensor, "points 3"], index: int, waves: int = 10
    ) -> Float[Tensor, "points"]:
        """Return smooth noise: random plane waves; mean 0, standard deviation 0.7."""
        random = np.random.default_rng([self.seed, index])
        direction = random.normal(size=(3, waves))
        direction /= np.linalg.norm(direction, axis=0)
        length = self.wavelengths[index] * random.uniform(0.8, 1.3, size=waves)
        waves_in = points.new_tensor(2 * np.pi * direction / length)
        phase = points.new_tensor(random.uniform(0, 2 * np.pi, size=waves))
        return torch.addmm(phase, points, waves_in).sin().sum(-1) / waves**0.5

    def _checks(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        """Return a three-dimensional checkerboard, from -1 to 1."""
        return torch.tanh(self.check_sharpness * (points * (np.pi / self.checks)).sin().prod(-1))


@dataclass(frozen=True)
class TexturedSolid:
    """Signed distances with one texture each; a point gets that of the nearest solid."""

    solids: Sequence[Callable[[Tensor], Tensor]]
    textures: Sequence[Texture]

    def __call__(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
        """Return the albedo at points, in [0, 1]."""
        nearest = torch.stack([solid(points) for solid in self.solids]).argmin(0)
        colors = torch.zeros_like(points)
        for index, texture in enumerate(self.textures):
            selected = nearest == index
            colors[selected] = texture(points[selected])
        return colors
