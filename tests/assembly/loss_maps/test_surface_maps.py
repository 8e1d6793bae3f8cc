"""Quantities and terms on the mesh of a run: against what is known of a sphere."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from small_runs import untrained_run

from nerfloss.assembly.export.mesh_settings import MeshSettings
from nerfloss.assembly.export.mesh_source import source_mesh
from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.loss_maps.surface import Surface
from nerfloss.assembly.loss_maps.surface_export import export_surface
from nerfloss.assembly.loss_maps.surface_quantities import AREA, QUANTITIES
from nerfloss.assembly.loss_maps.surface_terms import reason_against, term_at_points
from nerfloss.data.pixel_samplers.batch import image_batch

SCALE = 3.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    more = ["+loss/term@loss.terms.symmetry=symmetry", "+loss/term@loss.terms.boundary=boundary"]
    return untrained_run(
        tmp_path_factory.mktemp("surface") / "run", "loss=neus_full", *more, "dataset.size=32"
    )


@pytest.fixture(scope="module")
def opened(folder) -> OpenedRun:
    """The run, a sphere, in a world that is moved, turned and three times as large."""
    opened = OpenedRun(folder, "cpu")
    to_world = np.eye(4)
    to_world[:3, :3] = SCALE * np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    to_world[:3, 3] = [10.0, 20, 30]
    truth = trimesh.creation.icosphere(subdivisions=4, radius=2.0)
    truth.apply_translation(to_world[:3, 3])
    opened.run.scene = replace(opened.run.scene, to_world=to_world, ground_truth=lambda: truth)
    return opened


@pytest.fixture(scope="module")
def surface(opened) -> Surface:
    return Surface(opened, source_mesh(opened, MeshSettings())[0])


def radius(surface) -> float:
    """That of the sphere, in the units of the files."""
    return float(np.linalg.norm(surface.mesh.vertices - [10, 20, 30], axis=1).mean())


def of(name, surface):
    values = QUANTITIES[name].compute(surface)
    assert values.shape == (len(surface.mesh.vertices),)
    assert np.isfinite(values).all()
    return values


def test_a_sphere_bends_by_the_inverse_of_its_radius(surface):
    assert np.median(of("mean_curvature", surface)) == pytest.approx(1 / radius(surface), rel=0.1)
    assert of("normal_disagreement", surface).mean() < 5
    assert np.median(of("eikonal_error", surface)) < 0.1


def test_the_distance_is_in_the_units_of_the_files(surface):
    found = of("distance_to_truth", surface)
    distances = np.linalg.norm(surface.mesh.vertices - [10, 20, 30], axis=1) - 2.0
    np.testing.assert_allclose(found, np.abs(distances), atol=0.02)


def test_a_point_is_visible_from_the_cameras_in_front_of_it(surface):
    found, seen = of("visibility", surface), surface.views_that_see
    assert 0 < found.mean() < 0.8
    cameras = surface.opened.scene.train.cameras
    for row, view in zip(seen, surface.visibility.views, strict=True):
        towards = cameras.poses[view, :, 3] - surface.points
        facing = (towards * surface.normals).sum(-1) / towards.norm(dim=-1)
        assert row[facing > 0.4].mean() > 0.95
        # The opacity of an untrained surface is spread out: near the rim it can be seen through.
        assert row[facing < -0.7].mean() < 0.05


def test_training_rays_are_those_that_hit_the_square(surface):
    run = surface.opened.run
    run.trainer.rays_seen = 5 * run.batches.positions  # each pixel five times
    found = of("training_rays", surface)
    # All pixels of all views, traced to the sphere: five rays each.
    views, hits = run.scene.train, []
    size = radius(surface) / SCALE
    for view in range(len(views)):
        rays = image_batch(views, view, "white").rays
        along = -(rays.origins * rays.directions).sum(-1)
        half = size**2 - rays.origins.square().sum(-1) + along**2
        hits.append((rays.origins + (along - half.sqrt())[:, None] * rays.directions)[half > 0])
    hits = torch.cat(hits)
    # Counted in caps around the six axes; a cap of angle a has the area 2 pi r^2 (1 - cos a).
    angle = 0.6
    area = 2 * np.pi * size**2 * (1 - np.cos(angle))
    for axis in torch.cat([torch.eye(3), -torch.eye(3)]):
        counted = 5 * int(((hits @ axis) / hits.norm(dim=-1) > np.cos(angle)).sum())
        inside = (surface.points @ axis / surface.points.norm(dim=-1) > np.cos(angle)).numpy()
        expected = counted * AREA**2 / area
        assert found[inside].mean() == pytest.approx(expected, rel=0.25, abs=0.005)


def test_terms_at_points_are_those_of_samples_there(surface):
    terms, field = surface.opened.run.recipe.terms, surface.opened.run.model.field
    gradients = field(surface.points, {"gradients"})["gradients"].detach()
    expected = (gradients.norm(dim=-1) - 1).square().numpy()
    found = term_at_points(terms["eikonal"], surface)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)
    mirrored = surface.points * torch.tensor([-1.0, 1, 1])
    both = [field.implicit(points) for points in (surface.points, mirrored)]
    found = term_at_points(terms["symmetry"], surface)
    np.testing.assert_allclose(found, (both[0] - both[1]).abs().numpy(), atol=1e-5)
    assert reason_against(terms["boundary"], surface) == "it takes no quantity of single points"
    reason = reason_against(terms["rgb"], surface)
    assert reason == "it needs rgb, target_rgb, which points of the surface do not have"


@pytest.mark.parametrize("ending", ["ply", "glb"])
def test_a_file_has_a_colour_and_properties(opened, tmp_path, ending):
    path = tmp_path / f"mesh.{ending}"
    notes = export_surface(opened, path, ["mean_curvature", "eikonal"])
    assert any(note.startswith("colours: mean_curvature, from") for note in notes)
    if ending == "ply":
        data = trimesh.load_mesh(path, process=False).metadata["_ply_raw"]["vertex"]["data"]
        found = {"mean_curvature": data["mean_curvature"], "eikonal": data["eikonal"]}
    else:
        mesh = next(iter(trimesh.load_scene(path, process=False).geometry.values()))
        found = {name: mesh.vertex_attributes[f"_{name}"] for name in ("mean_curvature", "eikonal")}
    assert np.median(found["mean_curvature"]) == pytest.approx(1 / 1.5, rel=0.4)
    assert found["eikonal"].min() >= 0


def test_mistakes_are_named(opened, tmp_path):
    with pytest.raises(ValueError, match=r"fit into \.ply or \.glb"):
        export_surface(opened, tmp_path / "mesh.obj", [])
    with pytest.raises(ValueError, match="--show colour is none of eikonal_error,"):
        export_surface(opened, tmp_path / "mesh.ply", ["colour"])
    with pytest.raises(ValueError, match="--show mask: it needs opacity"):
        export_surface(opened, tmp_path / "mesh.ply", ["mask"])
