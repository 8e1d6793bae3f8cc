"""A mesh holds only space that the renderer samples, and that the training masks allow."""

import numpy as np
import pytest
import torch
from small_runs import assembled

from nerfloss.assembly.eval_adapter import sampled_region
from nerfloss.data.visual_hull import cell_centers, visual_hull
from nerfloss.evaluation.mesh_extraction import MeshExtraction

DENSITY = ["model=nerf", "loss=nerf", "dataset.masks=false", "sampler.resolution=16"]


def lower_half(run) -> torch.Tensor:
    """Mark the cells of the sampler's grid with x in the lower half of the box."""
    region = torch.zeros_like(run.model.sampler.grid.region)
    region[:, :, : region.shape[2] // 2] = True  # indexed z, y, x
    return region


def test_a_density_is_extracted_only_where_its_sampler_places_samples(tmp_path):
    run = assembled(tmp_path, *DENSITY, model="nerf")
    grid = run.model.sampler.grid
    grid.region.copy_(lower_half(run))
    grid.values.copy_(grid.region * 1.0)
    grid.filled.fill_(True)
    region = sampled_region(run.model, run.scene.train)
    assert region.volume_fraction == pytest.approx(0.5)
    assert region.cells[:8].all()
    assert not region.cells[8:].any()
    # A field that is solid everywhere: only the sampled half of its box is.
    box = run.model.field.box
    solid = MeshExtraction(resolution=32, lipschitz=None)
    mesh = solid(lambda p: torch.linalg.vector_norm(p, dim=1) - 0.8, box, region=region).mesh
    middle = float(box[:, 0].mean())
    assert mesh.vertices[:, 0].max() < middle + float(box[1, 0] - box[0, 0]) / 16


def test_empty_cells_of_a_density_are_not_extracted(tmp_path):
    run = assembled(tmp_path, *DENSITY, model="nerf")
    grid = run.model.sampler.grid
    grid.values.zero_()
    grid.values[3, 4, 5] = 10 * run.model.sampler.density_threshold
    grid.filled.fill_(True)
    cells = sampled_region(run.model, run.scene.train).cells
    assert np.argwhere(cells).min(0).tolist() == [4, 3, 2], "x, y, z, and one cell wider"
    assert np.argwhere(cells).max(0).tolist() == [6, 5, 4]


def test_the_inside_of_an_sdf_counts_as_sampled(tmp_path):
    run = assembled(tmp_path, "dataset.masks=false", "sampler.resolution=32")
    run.model.sampler.refresh(run.model.field, 0)
    region = sampled_region(run.model, run.scene.train)
    center, corner = np.full((1, 3), 0.5), np.zeros((1, 3))
    assert region.contains(center)
    assert not region.contains(corner)


@pytest.mark.parametrize("sampler", ["uniform", "hierarchical"])
def test_masks_bound_the_mesh_of_a_sampler_that_covers_the_box(tmp_path, sampler):
    run = assembled(tmp_path, f"sampler={sampler}")
    views, box = run.scene.train, run.model.field.box
    region = sampled_region(run.model, views)
    hull = visual_hull(views, box, len(region.cells)).numpy()
    distance = cell_centers(box, len(region.cells)).norm(dim=1).reshape(hull.shape).numpy()
    assert region.cells[hull & (distance <= 1)].all()
    assert not region.cells[distance > 1.1].any()
    assert region.volume_fraction < 0.9
    assert sampled_region(run.model, views.without_masks("white")) is None
