"""A run begins where the masks say that the object is."""

from dataclasses import replace

import torch
from small_runs import assembled

from nerfloss.data.hull import visual_hull
from nerfloss.start import start_from_masks
from nerfloss.training.hull_start import fit_distance


def test_the_box_holds_the_object_and_the_sampler_looks_inside_its_hull(tmp_path):
    run = assembled(tmp_path, "dataset.scene=rings")
    model, views = run.model, run.scene.train
    start_from_masks(model, views, fit=False, seed=0)
    box = model.field.box
    surface = torch.as_tensor(run.scene.mesh.vertices, dtype=torch.float32)
    assert (surface > box[0]).all()
    assert (surface < box[1]).all()
    assert (box[1] - box[0]).prod() < 8
    hull = visual_hull(views, box, model.sampler.grid.resolution).permute(2, 1, 0)
    region = model.sampler.grid.region
    assert (region >= hull).all()
    assert not region.all()


def test_without_masks_everything_stays_as_it_was(tmp_path):
    run = assembled(tmp_path)
    views = replace(run.scene.train, mask=None)
    start_from_masks(run.model, views, fit=True, seed=0)
    assert run.model.field.box.tolist() == [[-1, -1, -1], [1, 1, 1]]
    assert run.model.sampler.grid.region.all()


def test_fitting_a_distance_moves_the_surface_there(tmp_path):
    field = assembled(tmp_path).model.field
    axis = (torch.arange(32) + 0.5) / 16 - 1
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    # A sphere beside the middle: right only if the order of the axes is.
    distance = (torch.stack([x - 0.3, y, z + 0.2], -1)).norm(dim=-1) - 0.4
    error = fit_distance(field, distance, steps=60, points=2048)
    assert error < 0.02
    center = torch.tensor([[0.3, 0.0, -0.2]])
    rim = center + torch.tensor([[0.4, 0, 0], [0, 0.4, 0], [0, 0, -0.4]])
    assert field(center, {"sdf"})["sdf"].item() < -0.25
    assert field(rim, {"sdf"})["sdf"].abs().max() < 0.06
