"""Noise on camera poses, to test their refinement."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import pi, sqrt
from typing import Any

import torch

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.maths.rotations import rotation_exp


@dataclass(frozen=True)
class PoseNoise:
    """Normally distributed errors of orientation and position.

    ``degrees`` is the root mean square angle by which a camera is turned about its own centre, and
    ``distance`` that of the distance by which it is moved, in scene units.

    Raises ValueError for a negative value.
    """

    degrees: float | int = 0.0
    distance: float | int = 0.0

    def __post_init__(self) -> None:
        if self.degrees < 0 or self.distance < 0:
            raise ValueError(
                "dataset.pose_noise needs degrees and distance of at least 0, got "
                f"{self.degrees} and {self.distance}"
            )

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "PoseNoise":
        """Return the noise with these settings. Raises ValueError for an unknown one."""
        if unknown := settings.keys() - {"degrees", "distance"}:
            raise ValueError(
                f"dataset.pose_noise has no setting {', '.join(sorted(map(str, unknown)))}: "
                "it has degrees and distance"
            )
        return cls(**settings)

    def __bool__(self) -> bool:
        return self.degrees > 0 or self.distance > 0

    def __call__(self, cameras: Cameras, seed: int) -> Cameras:
        """Return the cameras with noise that follows from the seed."""
        generator = torch.Generator().manual_seed(seed)
        # Of three equal parts, whose squares sum to that of the whole.
        turn, shift = torch.randn(2, len(cameras), 3, generator=generator) / sqrt(3)
        rotation = cameras.poses[:, :, :3] @ rotation_exp(turn * self.degrees * pi / 180)
        center = cameras.poses[:, :, 3:] + (shift * self.distance)[:, :, None]
        return replace(cameras, poses=torch.cat([rotation, center], -1))
