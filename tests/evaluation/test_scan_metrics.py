"""Chamfer distances of what cameras see, of rendered depths, and the earth mover's distance."""

import itertools

import numpy as np
import pytest
import torch
import trimesh
from small_scenes import small_scene

from nerfloss.assembly.scene_scan import rendered_cloud, scan_of
from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.inputs import EvaluatedModel
from nerfloss.evaluation.metrics import geometry
from nerfloss.evaluation.metrics.geometry import chamfer_l1, cloud_chamfer, emd, scan_chamfer
from nerfloss.evaluation.surface_samples import Surface, SurfacePair
from nerfloss.evaluation.virtual_scan import VirtualScan


def ball(radius=0.5):
    return trimesh.creation.icosphere(subdivisions=4, radius=radius)


def above(points, _):
    """One orthographic camera that looks down the z axis from 2, on a square of side 2."""
    return (points[:, :2] + 1) / 2, 2 - points[:, 2]


SCAN = VirtualScan(above, views=1, slope=1.0)


def pair(mesh, target, scan=SCAN, cloud=None):
    return SurfacePair(Surface(mesh, 20_000, 0), Surface(target, 20_000, 1), 100, scan, cloud)


def test_a_scan_sees_the_near_side_only():
    points = np.asarray(trimesh.sample.sample_surface(ball(), 20_000, seed=0)[0])
    seen = points[SCAN.seen(points)]
    assert (seen[:, 2] > -0.1).all()
    # Of a half only what is not too steep for the depth map is kept.
    assert 0.3 < len(seen) / len(points) < 0.52
    beside = points + np.array([5.0, 0, 0])
    assert not SCAN.seen(beside).any()


def test_backs_and_inner_walls_do_not_count_in_the_scan():
    hollow = trimesh.util.concatenate([ball(), ball(0.3)])  # an inner wall that none sees
    dented = ball()
    back = np.asarray(dented.vertices)
    dented = trimesh.Trimesh(np.where(back[:, 2:] < -0.2, back * 0.6, back), dented.faces)
    for mesh in (hollow, dented):
        found = pair(mesh, ball())
        both = (found["seen_to_target"], found["seen_to_prediction"])
        assert chamfer_l1(found["to_target"], found["to_prediction"]) > 0.02
        assert scan_chamfer(*both) < 0.011
    moved = pair(ball(0.45), ball())
    distance = scan_chamfer(moved["seen_to_target"], moved["seen_to_prediction"])
    assert distance == pytest.approx(0.05, abs=0.01)


def test_without_cameras_or_depths_there_is_a_reason():
    found = pair(ball(), ball(), scan=None)
    with pytest.raises(UndefinedMetric, match="needs cameras"):
        found["seen_to_target"]
    with pytest.raises(UndefinedMetric, match="needs rendered depths"):
        found["cloud_to_target"]


def exact_model(radius):
    """A model that renders a ball exactly, half transparent, so depth is weighted by opacity."""

    def render(rays, needs):
        b = (rays.origins * rays.directions).sum(1)
        d = b**2 - (rays.origins.square().sum(1) - radius**2)
        hit = d > 0
        distance = torch.where(hit, -b - d.clamp_min(0).sqrt(), torch.zeros_like(b))
        found = {"depth": 0.8 * distance, "opacity": 0.8 * hit.float()}
        return {"step": 3, **{name: found[name] for name in needs}}  # as models do

    offers = frozenset({"depth", "opacity"})
    return EvaluatedModel(render, offers, torch.tensor([[-1.0] * 3, [1.0] * 3]))


def test_rendered_depths_are_points_on_the_surface():
    scene = small_scene("sphere", views=6, test_views=1, size=32)
    cloud = rendered_cloud(exact_model(0.5), scene.train, chunk=5000)
    assert np.linalg.norm(cloud, axis=1) == pytest.approx(np.full(len(cloud), 0.5), abs=1e-4)
    scan = scan_of(scene.train)
    found = pair(ball(), ball(), scan=scan, cloud=lambda: cloud)
    same = cloud_chamfer(found["cloud_to_target"], found["target_to_cloud"])
    larger = pair(ball(), ball(0.55), scan=scan, cloud=lambda: cloud)
    off = cloud_chamfer(larger["cloud_to_target"], larger["target_to_cloud"])
    assert same < 0.015
    assert off == pytest.approx(0.05, abs=0.01)
    nothing = exact_model(0.0)
    with pytest.raises(UndefinedMetric, match="no rendered ray is opaque"):
        rendered_cloud(nothing, scene.train, chunk=5000)


def test_emd_is_the_best_of_all_assignments():
    generator = np.random.default_rng(0)
    a, b = generator.random((6, 3)), generator.random((6, 3))
    best = min(
        np.mean([np.linalg.norm(a[i] - b[j]) for i, j in enumerate(order)])
        for order in itertools.permutations(range(6))
    )
    assert emd(a, b) == pytest.approx(best)
    assert emd(a, a[::-1].copy()) == 0
    assert emd(a + np.array([0.0, 0, 3]), a) == pytest.approx(3)


def test_emd_of_many_points_approaches_the_exact_one_as_the_blur_vanishes(monkeypatch):
    a = np.random.default_rng(0).random((150, 3)) * 0.1
    shifted = a + np.array([1.0, 0, 0])
    assert emd(shifted, a) == pytest.approx(1)
    monkeypatch.setattr(geometry, "EXACT", 100)
    errors = [abs(emd(shifted, a, blur=blur) - 1) for blur in (0.03, 0.01, 0.003)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.03
