"""Scenes survive a round trip through every file format."""

import numpy as np
import pytest
import torch
import trimesh
from small_scenes import small_scene, write_blender, write_neus

from nerfloss.data.formats.blender import BlenderDataset
from nerfloss.data.formats.neus import NeusDataset
from nerfloss.data.pixel_samplers.batch import image_batch
from nerfloss.data.scene import Dataset


@pytest.fixture(scope="module")
def scene():
    return small_scene("craters", views=6, test_views=2, size=24)


@pytest.fixture(scope="module", params=["blender", "neus"])
def dataset(request, scene, tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "blender":
        return BlenderDataset(str(write_blender(folder, scene)))
    return NeusDataset(str(write_neus(folder, scene)), background="white", hold_out="test.txt")


@pytest.mark.parametrize("split", ["train", "test"])
def test_rays_survive_a_round_trip(scene, dataset, split):
    ours, theirs = getattr(scene, split), getattr(dataset.load(), split)
    for index in range(len(ours)):
        one, two = image_batch(ours, index, "white"), image_batch(theirs, index, "white")
        torch.testing.assert_close(one.rays.origins, two.rays.origins, atol=1e-5, rtol=0)
        torch.testing.assert_close(one.rays.directions, two.rays.directions, atol=1e-5, rtol=0)


@pytest.mark.parametrize("split", ["train", "test"])
def test_images_survive_a_round_trip(scene, dataset, split):
    ours, theirs = getattr(scene, split), getattr(dataset.load(), split)
    assert len(theirs) == len(ours)
    assert torch.equal(theirs.rgb, ours.rgb)
    solid = (ours.mask < 100) | (ours.mask > 150)
    assert torch.equal((theirs.mask > 127)[solid], (ours.mask > 127)[solid])


def test_offers_before_loading_equal_those_of_the_views(dataset):
    scene = dataset.load()
    assert dataset.offers == scene.train.offers == scene.test.offers
    assert dataset.offers == {"target_rgb", "target_mask"}


def test_world_coordinates_survive_a_round_trip(dataset):
    scene = dataset.load()
    center = scene.to_world @ np.append(scene.train.cameras.poses[0, :, 3].numpy(), 1.0)
    radius = 1.5 if isinstance(dataset, BlenderDataset) else 120.0
    offset = np.zeros(3) if isinstance(dataset, BlenderDataset) else np.array([5.0, -20.0, 300.0])
    assert np.linalg.norm(center[:3] - offset) == pytest.approx(2.7 * radius, rel=1e-5)


def test_a_mesh_file_is_the_ground_truth(scene, tmp_path):
    trimesh.creation.icosphere(1).export(tmp_path / "truth.ply")
    folder = str(write_blender(tmp_path / "scene", scene))
    loaded = BlenderDataset(folder, mesh=str(tmp_path / "truth.ply")).load()
    assert loaded.has_mesh
    assert len(loaded.mesh.faces) == 80
    assert not BlenderDataset(folder).load().has_mesh


def test_downscaling_averages_blocks_and_keeps_the_rays(scene, tmp_path):
    write_neus(tmp_path, scene)
    half = NeusDataset(str(tmp_path), downscale=2, hold_out="test.txt").load().train
    expected = scene.train.rgb.float().reshape(6, 12, 2, 12, 2, 3).mean((2, 4))
    assert (half.rgb - expected).abs().max() <= 1
    full = scene.train.cameras.rays(
        torch.tensor([0]), torch.tensor([[6.0, 10.0]]), torch.zeros(1, 3)
    )
    small = half.cameras.rays(torch.tensor([0]), torch.tensor([[3.0, 5.0]]), torch.zeros(1, 3))
    torch.testing.assert_close(small.directions, full.directions, atol=1e-5, rtol=0)


def test_downscaled_colour_is_weighted_by_opacity(scene, tmp_path):
    write_blender(tmp_path, scene)
    half = BlenderDataset(str(tmp_path), downscale=2).load().train
    alpha = scene.train.mask.float()[..., None]
    blocks = (alpha * scene.train.rgb).reshape(6, 12, 2, 12, 2, 3).sum((2, 4))
    weight = alpha.reshape(6, 12, 2, 12, 2, 1).sum((2, 4))
    solid = half.mask > 100
    expected = blocks / weight.clamp_min(1)
    assert (half.rgb - expected)[solid].abs().max() <= 4


def test_neus_scenes_can_be_used_without_masks(scene, tmp_path):
    write_neus(tmp_path / "with", scene)
    write_neus(tmp_path / "without", scene, masks=False)
    for dataset in (
        NeusDataset(str(tmp_path / "with"), masks=False),
        NeusDataset(str(tmp_path / "without")),
    ):
        assert dataset.offers == {"target_rgb"}
        loaded = dataset.load()
        assert loaded.train.mask is None
        assert loaded.background == "none"


def test_blender_masks_can_be_disabled_in_training_and_kept_for_testing(scene, tmp_path):
    folder = str(write_blender(tmp_path, scene))
    dataset, masked = BlenderDataset(folder, masks=False), BlenderDataset(folder).load()
    assert dataset.offers == {"target_rgb"}
    loaded = dataset.load()
    assert loaded.train.mask is None
    assert torch.equal(loaded.train.rgb, masked.train.without_masks("white").rgb)
    assert torch.equal(loaded.test.mask, masked.test.mask)
    assert loaded.conventions["mask"] == "alpha channel; of test views only"


def test_blender_views_can_be_held_out_by_rule(scene, tmp_path):
    loaded = BlenderDataset(str(write_blender(tmp_path, scene)), hold_out={"every": 3}).load()
    assert loaded.test.names == ("train_000", "train_003")
    assert len(loaded.train) == 4


def test_blender_test_files_are_not_read_where_views_are_held_out_by_rule(scene, tmp_path, caplog):
    folder = write_blender(tmp_path, scene)
    (folder / "transforms_test.json").write_text("{")
    with caplog.at_level("INFO"):
        loaded = BlenderDataset(str(folder), hold_out=["train_001"]).load()
    assert loaded.test.names == ("train_001",)
    assert "transforms_test.json is not used: the test views are chosen by" in caplog.text
