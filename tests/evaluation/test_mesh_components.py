"""Separate parts that the training views support are kept, floaters are dropped and reported."""

import logging
import math

import numpy as np
import pytest
import torch
import trimesh

from nerfloss.assembly.training_visibility import TrainingVisibility
from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.synthetic.analytic_scenes import toys
from nerfloss.data.synthetic.camera_layouts import cameras_at, train_and_test_positions
from nerfloss.data.synthetic.shapes import Sdf, balls, carve, torus, union
from nerfloss.evaluation.mesh_components import component_of_faces, select_components
from nerfloss.evaluation.mesh_extraction import MeshExtraction
from nerfloss.evaluation.region import Region

BOX = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
RING_AROUND_A_BALL = union(
    balls([[0.0, 0.0, 0.0]], 0.35), torus((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 0.6, 0.08)
)
THREE_BALLS = balls([[-0.5, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.5, 0.4]], 0.2)
STEPS = 96


def cameras() -> Cameras:
    positions, _ = train_and_test_positions(12, 1, 2.7, 0)
    return cameras_at(positions, 48, 38.0)


def renderer(sdf: Sdf):
    """Render opaque solids in regular steps: the first one inside has all the weight."""

    def render(rays, needs):  # noqa: ARG001
        edges = torch.linspace(1.2, 4.2, STEPS + 1).expand(len(rays), -1)
        starts, ends = edges[:, :-1], edges[:, 1:]
        middle = 0.5 * (starts + ends)
        points = rays.origins[:, None] + middle[..., None] * rays.directions[:, None]
        solid = (sdf(points.reshape(-1, 3)) < 0).reshape(middle.shape)
        weights = (solid & (solid.cumsum(1) == 1)).float()
        return {"weights": weights, "t_starts": starts, "t_ends": ends}

    return render


def extract(sdf: Sdf, *, rendered: Sdf | None = None, components: str = "supported", region=None):
    """Extract a solid of which the training views see what ``rendered`` makes of it."""
    visible = TrainingVisibility(renderer(rendered or sdf), cameras())
    extraction = MeshExtraction(resolution=64, components=components)
    return extraction(sdf, BOX, region=region, visible=visible)


@pytest.mark.parametrize(
    ("sdf", "parts"), [(toys().sdf, 6), (RING_AROUND_A_BALL, 2), (THREE_BALLS, 3)]
)
def test_separate_parts_that_the_views_see_are_kept(sdf, parts):
    found = extract(sdf)
    assert component_of_faces(found.mesh).max() + 1 == parts
    assert (found.components.parts, found.components.dropped) == (parts, 0)
    assert found.mesh.is_watertight


def test_the_largest_alone_is_kept_on_demand_and_the_loss_is_reported(caplog):
    with caplog.at_level(logging.INFO):
        found = extract(RING_AROUND_A_BALL, components="largest")
    ball, ring = 4 * math.pi * 0.35**2, 4 * math.pi**2 * 0.6 * 0.08
    assert found.components.dropped == 1
    assert found.components.dropped_area == pytest.approx(min(ball, ring) / (ball + ring), abs=0.02)
    assert "kept 1 of 2 connected parts, dropped 1" in caplog.text


def test_a_floater_that_no_view_supports_is_dropped():
    floater = balls([[0.7, 0.7, 0.7]], 0.15)
    found = extract(union(THREE_BALLS, floater), rendered=THREE_BALLS)
    assert (found.components.parts, found.components.dropped) == (4, 1)
    # Area 0.15^2 of 3 x 0.2^2 + 0.15^2.
    assert found.components.dropped_area == pytest.approx(0.158, abs=0.01)
    assert found.mesh.vertices.max() < 0.75
    assert (
        component_of_faces(
            extract(union(THREE_BALLS, floater), rendered=THREE_BALLS, components="all").mesh
        ).max()
        == 3
    )


@pytest.mark.parametrize(("floaters", "warned"), [(1, []), (2, ["27 % of its area"])])
def test_a_large_share_that_is_dropped_is_warned_of(floaters, warned, caplog):
    places = [[0.7, 0.7, 0.7], [0.7, -0.7, 0.7]]
    extract(union(THREE_BALLS, balls(places[:floaters], 0.15)), rendered=THREE_BALLS)
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert len(warnings) == len(warned)
    assert all(share in said for share, said in zip(warned, warnings, strict=True))


def test_a_cavity_that_no_view_sees_is_dropped():
    found = extract(carve(balls([[0.0, 0.0, 0.0]], 0.6), balls([[0.0, 0.0, 0.0]], 0.3)))
    assert (found.components.parts, found.components.dropped) == (2, 1)
    assert found.mesh.volume == pytest.approx(4 / 3 * math.pi * 0.6**3, rel=0.02)


def test_a_part_outside_of_all_images_is_not_seen():
    visible = TrainingVisibility(renderer(THREE_BALLS), cameras())
    points = torch.tensor([[0.7, 0.0, 0.0], [0.0, 0.0, 5.0]])
    assert visible(points, 0.1).tolist() == [True, False]


def test_without_training_views_only_specks_are_dropped():
    speck = trimesh.creation.icosphere(radius=0.004)
    ball = trimesh.creation.icosphere(radius=0.5)
    small = trimesh.creation.icosphere(radius=0.05).apply_translation([0.8, 0, 0])
    speck.apply_translation([0, 0.8, 0])
    kept, report = select_components(trimesh.util.concatenate([ball, small, speck]), "supported")
    assert (report.parts, report.dropped) == (3, 1)
    assert kept.body_count == 2


def test_the_largest_part_is_kept_where_no_part_is_seen():
    nothing = balls([[9.0, 9.0, 9.0]], 0.1)
    found = extract(RING_AROUND_A_BALL, rendered=nothing)
    assert (found.components.parts, found.components.dropped) == (2, 1)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="none of supported, largest, all"):
        MeshExtraction(components="biggest")


@pytest.mark.parametrize("lipschitz", [2.0, None])
def test_nothing_is_extracted_or_evaluated_outside_of_the_region(lipschitz):
    cells = np.zeros((20, 20, 20), dtype=bool)
    cells[:10] = True  # x below 0
    evaluated = []

    def field(points):
        evaluated.append(points)
        return THREE_BALLS(points)

    extraction = MeshExtraction(resolution=64, lipschitz=lipschitz, components="all")
    found = extraction(field, BOX, region=Region(cells)).mesh
    assert found.is_watertight
    assert found.vertices[:, 0].max() < 0.05
    assert component_of_faces(found).max() + 1 == 2  # a ball, and the half of another
    if lipschitz is None:
        assert max(points[:, 0].max() for points in evaluated) < 0.01


@pytest.mark.parametrize("lipschitz", [2.0, None])
def test_a_region_that_holds_the_surface_changes_nothing(lipschitz):
    x, y, z = np.meshgrid(*[(np.arange(32) + 0.5) / 16 - 1] * 3, indexing="ij")
    centers = torch.from_numpy(np.stack([x, y, z], -1).reshape(-1, 3)).float()
    near = (THREE_BALLS(centers) < 0.2).reshape(32, 32, 32).numpy()
    extraction = MeshExtraction(resolution=64, lipschitz=lipschitz)
    everywhere = extraction(THREE_BALLS, BOX).mesh
    inside = extraction(THREE_BALLS, BOX, region=Region(near)).mesh
    np.testing.assert_array_equal(inside.vertices, everywhere.vertices)
    np.testing.assert_array_equal(inside.faces, everywhere.faces)


def test_overlap_of_blocks_with_a_region_equals_a_count_of_cells():
    generator = np.random.default_rng(0)
    region = Region(generator.random((7, 5, 6)) < 0.5)
    low = generator.random((200, 3)) * 0.8
    high = low + generator.random((200, 3)) * 0.2
    touches, inside = region.overlap(low, high)
    for i in range(200):
        first = np.floor(low[i] * region.cells.shape).astype(int)
        last = np.floor(high[i] * region.cells.shape).astype(int)
        block = region.cells[tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))]
        assert (touches[i], inside[i]) == (block.any(), block.all())
