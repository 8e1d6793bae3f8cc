"""A perfect model of a ball, and the truth about it."""

import pytest
import trimesh
from exact_ball import RADIUS, Ball

from nerfloss.evaluation.evaluator import GroundTruth


@pytest.fixture
def ball() -> Ball:
    return Ball()


@pytest.fixture
def truth() -> GroundTruth:
    return GroundTruth(
        mesh=trimesh.creation.icosphere(subdivisions=5, radius=RADIUS),
        conventions={"units": "scene units: radius 1", "background": "white"},
    )
