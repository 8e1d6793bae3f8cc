"""Semantic and instance labels of analytic scenes."""

import pytest
import torch
from small_scenes import small_scene

from nerfloss.data.pixel_samplers.batch import image_batch
from nerfloss.data.synthetic.analytic_scenes import MODELS
from nerfloss.data.synthetic.dataset import AnalyticDataset


@pytest.fixture(scope="module", params=["toys", "rings", "cage", "sphere"])
def scene(request):
    return small_scene(request.param, views=4, test_views=1, size=40)


def test_a_pixel_is_labelled_with_the_instance_its_ray_hits(scene):
    model = MODELS[scene.name]()
    parts = model.parts or (model,)
    batch = image_batch(scene.train, 1, "none")
    depth, instance = batch.targets["target_depth"], batch.targets["target_instance"]
    points = batch.rays.origins + depth[:, None] * batch.rays.directions
    for number, part in enumerate(parts, start=1):
        mine = instance == number
        assert mine.any()
        assert part.sdf(points[mine]).abs().max() < 2e-3


def test_only_the_background_is_labelled_0(scene):
    for name in ("label", "instance"):
        image = getattr(scene.train, name)
        assert torch.equal(image == 0, scene.train.depth == 0)


def test_instances_of_one_kind_share_a_class(scene):
    model = MODELS[scene.name]()
    kinds = [part.kind for part in model.parts] or ["object"]
    instance, label = scene.train.instance, scene.train.label
    for number, kind in enumerate(kinds, start=1):
        classes = label[instance == number].unique().tolist()
        assert classes == [1 + model.kinds.index(kind)]
    named = ["background", *model.kinds]
    assert scene.conventions["classes"].split(", ") == [f"{i} {k}" for i, k in enumerate(named)]


def test_toys_are_two_instances_of_three_classes_that_do_not_touch():
    model = MODELS["toys"]()
    assert [part.kind for part in model.parts] == ["ball"] * 2 + ["box"] * 2 + ["ring"] * 2
    assert model.kinds == ("ball", "box", "ring")
    points = torch.rand(60_000, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    nearest, second = torch.stack([p.sdf(points) for p in model.parts]).sort(0).values[:2]
    # The sum of two exact distances is at least the gap between the solids.
    assert (nearest + second).min() > 0.1


def test_labels_are_kept_without_masks():
    dataset = AnalyticDataset(scene="toys", views=2, test_views=1, size=16, masks=False)
    assert {"target_label", "target_instance"} <= dataset.offers
    assert dataset.load().train.label.unique().tolist() == [0, 1, 2, 3]
