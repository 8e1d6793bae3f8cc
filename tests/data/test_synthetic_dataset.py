import pytest
import torch
from small_scenes import small_scene

from nerfloss.data.formats.blender import BlenderDataset
from nerfloss.data.pixel_samplers.batch import image_batch
from nerfloss.data.synthetic.analytic_scenes import MODELS
from nerfloss.data.synthetic.dataset import AnalyticDataset
from nerfloss.data.synthetic.shapes import sdf_gradient
from nerfloss.data.visual_hull import fit_box, hull_mesh, visual_hull


@pytest.fixture(scope="module", params=list(MODELS))
def scene(request):
    return small_scene(request.param, views=5, test_views=2, size=40)


def hits(scene, index):
    """Return the hit points of the rays through pixel centres, and their targets."""
    batch = image_batch(scene.train, index, "none")
    depth = batch.targets["target_depth"]
    seen = depth > 0
    points = batch.rays.origins + depth[:, None] * batch.rays.directions
    return points[seen], {name: target[seen] for name, target in batch.targets.items()}, batch.rays


def test_the_signed_distance_is_zero_at_the_depth(scene):
    for index in range(5):
        points, _, _ = hits(scene, index)
        distance = scene.sdf(points).abs()
        assert distance.mean() < 1e-5
        # Grazing rays stop within the minimum step of the tracer.
        assert distance.max() < 1.5e-3


def test_no_surface_lies_in_front_of_the_depth(scene):
    batch = image_batch(scene.train, 0, "none")
    depth = batch.targets["target_depth"]
    until = torch.where(depth > 0, depth - 0.01, 4.0)
    for share in torch.linspace(0.4, 1.0, 200):
        points = batch.rays.origins + (share * until)[:, None] * batch.rays.directions
        # Parts thinner than the minimum step of the tracer may be missed.
        assert scene.sdf(points).min() > -2e-3


def test_normals_are_the_gradient_of_the_distance(scene):
    points, targets, _ = hits(scene, 1)
    gradient = torch.nn.functional.normalize(sdf_gradient(scene.sdf, points), dim=-1)
    cosine = (gradient * targets["target_normal"]).sum(-1)
    # Along creases the normal of either face is correct.
    assert cosine.quantile(0.02) > 0.9999
    torch.testing.assert_close(
        targets["target_normal"].norm(dim=-1), torch.ones(len(points)), atol=1e-5, rtol=0
    )


def test_normals_face_the_camera(scene):
    batch = image_batch(scene.train, 2, "none")
    facing = (batch.targets["target_normal"] * batch.rays.directions).sum(-1)
    assert facing.max() < 1e-2


def test_the_mask_is_255_inside_0_outside_and_fractional_at_edges(scene):
    mask, depth = scene.train.mask, scene.train.depth
    assert (mask[depth > 0] > 0).float().mean() > 0.98
    inner = torch.nn.functional.max_pool2d(-(depth > 0).float(), 3, 1, 1) == -1
    assert (mask[inner] == 255).float().mean() > 0.98
    assert ((mask > 0) & (mask < 255)).any()
    assert (mask[:, 0, 0] == 0).all()


def test_offers_of_the_dataset_equal_those_of_its_views(scene):
    assert scene.train.offers == AnalyticDataset().offers
    # Test views have no sparse points.
    assert scene.test.offers == AnalyticDataset(points=0).offers


def test_the_colour_of_a_surface_point_does_not_depend_on_the_view():
    scene = small_scene("craters", views=20, test_views=1, size=48)
    points, targets, _ = hits(scene, 0)
    errors = []
    for view in range(1, 20):
        pixel, _ = scene.train.cameras.project(points, view)
        column, row = pixel.floor().long().clamp(0, 47).unbind(-1)
        away = (points - scene.train.cameras.poses[view, :, 3]).norm(dim=-1)
        visible = (scene.train.depth[view, row, column] - away).abs() < 0.01
        colors = scene.train.rgb[view, row, column].float() / 255
        errors.append((colors - targets["target_rgb"]).abs().mean(-1)[visible])
    assert torch.cat(errors).median() < 0.05


def test_the_visual_hull_covers_the_craters():
    scene = small_scene("craters", views=24, test_views=1, size=64)
    box = fit_box(scene.train)
    hull = hull_mesh(visual_hull(scene.train, box, 48), box)
    points = torch.tensor(hull.sample(2000, seed=0), dtype=torch.float32)
    # The hull covers the craters: its mean distance to the surface exceeds a cell.
    assert scene.sdf(points).mean() > 0.03


def test_loading_twice_gives_the_same_bytes():
    first, second = (small_scene("blobs", views=2, size=12) for _ in range(2))
    assert torch.equal(first.train.rgb, second.train.rgb)
    assert torch.equal(first.test.depth, second.test.depth)


def test_the_ground_truth_mesh_is_computed_on_first_use(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "nerfloss.data.synthetic.dataset.surface_mesh", lambda sdf: calls.append(sdf)
    )
    scene = small_scene("sphere", views=1, test_views=1, size=8)
    assert scene.has_mesh
    assert not calls
    _ = scene.mesh, scene.mesh
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scene": "teapot"}, "'teapot' is not an analytic scene; choose from craters, sphere"),
        ({"views": 0}, "views must be at least 1, got 0"),
        ({"background": "green"}, "'green' is none of auto, white, black, random, none"),
        ({"points": -1}, "dataset.points must not be negative, got -1"),
        ({"point_noise": -0.1}, "dataset.point_noise must not be negative, got -0.1"),
    ],
)
def test_an_invalid_setting_is_named_with_the_choices(settings, message):
    with pytest.raises(ValueError, match=message):
        AnalyticDataset(**settings)


def test_masks_can_be_disabled_in_training_and_kept_for_testing():
    dataset = AnalyticDataset(views=2, test_views=1, size=24, masks=False)
    assert dataset.offers == AnalyticDataset().offers - {"target_mask"}
    loaded = dataset.load()
    assert loaded.train.offers == dataset.offers
    assert "target_mask" in loaded.test.offers
    assert (loaded.train.rgb[:, 0, 0] == 255).all()


@pytest.mark.parametrize("dataset", [AnalyticDataset, BlenderDataset])
def test_a_random_background_needs_masks_to_be_used(dataset):
    with pytest.raises(ValueError, match="background=random needs masks"):
        dataset(background="random", masks=False)
