import math

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from nerfloss.data.synthetic.analytic_scenes import MODELS
from nerfloss.data.synthetic.ground_truth_mesh import sample_grid, surface_mesh
from nerfloss.data.synthetic.shapes import (
    balls,
    box,
    carve,
    frame,
    intersection,
    sdf_gradient,
    torus,
    union,
)

POINTS = torch.rand(400, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1


def nearest(surface: torch.Tensor) -> torch.Tensor:
    """Return the distance of POINTS to a dense sampling of a surface."""
    return torch.from_numpy(cKDTree(surface.numpy()).query(POINTS.numpy())[0]).float()


def circle(count: int) -> torch.Tensor:
    angle = torch.arange(count) * (2 * math.pi / count)
    return torch.stack([angle.cos(), angle.sin()], -1)


def test_the_distance_of_a_torus_is_that_to_its_nearest_point():
    ring, tube = circle(300), circle(100)
    around = 0.5 + 0.15 * tube[:, 0]
    surface = torch.stack(
        [
            (ring[:, :1] * around).flatten(),
            (ring[:, 1:] * around).flatten(),
            (0.15 * tube[:, 1]).expand(300, 100).flatten(),
        ],
        -1,
    )
    distance = torus((0, 0, 0), (0, 0, 1), 0.5, 0.15)(POINTS)
    torch.testing.assert_close(distance.abs(), nearest(surface), atol=1e-2, rtol=0)


def test_the_distance_of_a_box_is_that_to_its_nearest_point():
    face = torch.cartesian_prod(torch.linspace(-1, 1, 121), torch.linspace(-1, 1, 121))
    sides = [
        torch.cat([face[:, :axis], torch.full((len(face), 1), side), face[:, axis:]], -1)
        for axis in range(3)
        for side in (-1.0, 1.0)
    ]
    half = torch.tensor([0.3, 0.5, 0.4])
    distance = box((0, 0, 0), half.tolist())(POINTS)
    torch.testing.assert_close(distance.abs(), nearest(torch.cat(sides) * half), atol=2e-3, rtol=0)


def test_the_distance_of_a_frame_is_that_to_its_nearest_edge():
    along = torch.linspace(-0.5, 0.5, 201)
    edges = []
    for axis in range(3):
        for a in (-0.5, 0.5):
            for b in (-0.5, 0.5):
                edge = torch.tensor([a, b])[None].repeat(201, 1)
                edges.append(torch.cat([edge[:, :axis], along[:, None], edge[:, axis:]], -1))
    expected = nearest(torch.cat(edges)) - 0.05
    torch.testing.assert_close(frame(0.5, 0.05)(POINTS), expected, atol=1e-4, rtol=0)


def test_the_distance_of_many_balls_is_the_minimum_over_balls():
    centers = [[0.2, 0.1, 0.0], [-0.3, 0.0, 0.4], [0.0, -0.5, -0.1]]
    single = torch.stack([balls([center], 0.2)(POINTS) for center in centers]).amin(0)
    torch.testing.assert_close(balls(centers, 0.2)(POINTS), single)


def test_combinations_follow_set_theory():
    a, b = balls([[0.2, 0, 0]], 0.5), balls([[-0.2, 0, 0]], 0.5)
    in_a, in_b = a(POINTS) < 0, b(POINTS) < 0
    assert torch.equal(union(a, b)(POINTS) < 0, in_a | in_b)
    assert torch.equal(intersection(a, b)(POINTS) < 0, in_a & in_b)
    assert torch.equal(carve(a, b)(POINTS) < 0, in_a & ~in_b)


def test_a_smooth_union_only_adds_and_only_near_the_seam():
    a, b = balls([[0.3, 0, 0]], 0.4), balls([[-0.3, 0, 0]], 0.4)
    sharp, smooth = union(a, b)(POINTS), union(a, b, smooth=0.1)(POINTS)
    assert (smooth <= sharp).all()
    far = (a(POINTS) - b(POINTS)).abs() > 0.1
    torch.testing.assert_close(smooth[far], sharp[far])
    assert (sharp - smooth).max() <= 0.1 / 4 + 1e-6


@pytest.mark.parametrize("name", MODELS)
def test_distances_of_scenes_are_lower_bounds(name):
    gradient = sdf_gradient(MODELS[name]().sdf, POINTS.double())
    assert gradient.norm(dim=-1).max() < 1 + 1e-9


@pytest.mark.parametrize("name", MODELS)
def test_the_ground_truth_mesh_lies_on_the_surface_with_outward_faces(name):
    model = MODELS[name]()
    mesh = surface_mesh(model.sdf, resolution=64)
    vertices = torch.tensor(np.asarray(mesh.vertices), dtype=torch.float32)
    assert model.sdf(vertices).abs().max() < 1e-3
    assert vertices.norm(dim=-1).max() < 0.85
    assert mesh.is_watertight
    assert mesh.volume > 0


@pytest.mark.parametrize("name", ["craters", "cage"])
def test_skipping_empty_blocks_changes_no_sign(name):
    sdf = MODELS[name]().sdf
    axis = torch.linspace(-0.9, 0.9, 48)
    everywhere = sdf(torch.cartesian_prod(axis, axis, axis)).reshape(48, 48, 48)
    sparse = sample_grid(sdf, 48)
    assert torch.equal(sparse < 0, everywhere < 0)
    near = everywhere.abs() < 2 * float(axis[1] - axis[0])
    torch.testing.assert_close(sparse[near], everywhere[near], atol=1e-5, rtol=0)


def test_the_rings_do_not_touch():
    assert surface_mesh(MODELS["rings"]().sdf, resolution=128).body_count == 3
