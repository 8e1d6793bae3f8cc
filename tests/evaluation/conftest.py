"""An exact model of a ball, and its ground truth."""

import pytest
import trimesh
from exact_ball import RADIUS, Ball

from nerfloss.evaluation.inputs import GroundTruth


@pytest.fixture
def ball() -> Ball:
    return Ball()


@pytest.fixture
def ground_truth() -> GroundTruth:
    return GroundTruth(
        mesh=lambda: trimesh.creation.icosphere(subdivisions=5, radius=RADIUS),
        conventions={"units": "scene units: radius 1", "background": "white"},
    )
