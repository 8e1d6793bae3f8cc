"""Multi-view terms on a textured sphere with known images."""

import pytest
import textured_sphere as sphere
import torch
from scipy.ndimage import map_coordinates

from nerfloss.losses.multiview import patch_ncc, visual_hull
from nerfloss.testing.quantities import fake_field


def seen_by_cameras(focal, size):
    projections, centres = sphere.cameras(focal, size)
    images, masks = sphere.images(projections, centres, size)
    order = torch.cdist(centres, centres).argsort(-1)
    return {
        "projections": projections,
        "centres": centres,
        "images": images,
        "masks": masks,
        "neighbours": order[:, 1:6],
    }


@pytest.fixture(scope="module")
def scene():
    """A close look, under which a patch of the sphere is all but flat."""
    return seen_by_cameras(focal=480.0, size=160)


@pytest.fixture(scope="module")
def whole():
    """All of the sphere in every image."""
    return seen_by_cameras(focal=120.0, size=96)


def some_rays(scene, count=40, reach=20):
    """Pixels near the middle of views 2 to 5, and what their rays meet."""
    generator = torch.Generator().manual_seed(0)
    view = 2 + torch.arange(count) % 4
    offsets = torch.randint(-reach, reach, (count, 2), generator=generator)
    pixel = scene["images"].shape[1] // 2 + offsets + 0.5
    pixel = pixel.double()
    directions = torch.stack(
        [sphere.rays(scene["projections"][v], p) for v, p in zip(view, pixel, strict=True)]
    )
    centres = scene["centres"][view]
    distance = torch.stack(
        [sphere.first_hits(c, d) for c, d in zip(centres, directions, strict=True)]
    )
    assert distance.isfinite().all()
    return view, pixel, centres, directions, distance


def ncc(scene, points, view, pixel, field=fake_field, hit=None, **settings):
    hit = torch.ones(len(points), dtype=torch.bool) if hit is None else hit
    given = (scene["images"], scene["projections"], scene["neighbours"])
    return patch_ncc(field, points, hit, pixel, view, *given, **settings)


def test_patch_ncc_is_low_at_the_surface_only(scene):
    view, pixel, centres, directions, distance = some_rays(scene)
    found = {
        shift: float(
            ncc(scene, centres + (distance + shift)[:, None] * directions, view, pixel).mean()
        )
        for shift in (-0.02, -0.005, 0.0, 0.005, 0.02)
    }
    assert found[0.0] < 0.02
    assert found[0.0] < 0.3 * min(found[-0.005], found[0.005])
    assert found[-0.005] < found[-0.02]
    assert found[0.005] < found[0.02]


def test_patch_ncc_gradient_moves_points_to_the_surface(scene):
    view, pixel, centres, directions, distance = some_rays(scene)
    for shift in (-0.003, 0.003):
        points = (centres + (distance + shift)[:, None] * directions).requires_grad_()
        ncc(scene, points, view, pixel).sum().backward()
        along = (points.grad * directions).sum(-1) * shift
        assert float((along > 0).double().mean()) > 0.9


def test_patch_ncc_gradient_corrects_normals(scene):
    view, pixel, centres, directions, distance = some_rays(scene)
    points = centres + distance[:, None] * directions
    across = torch.tensor([0.3, -0.2, 0.1]).double()
    tilt = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)

    def tilted(asked, needs):
        outward = fake_field(asked, needs)["gradients"]
        return {"gradients": outward + tilt * across}

    value = ncc(scene, points, view, pixel, field=tilted).mean()
    value.backward()
    assert tilt.grad > 0
    assert float(value.detach()) > 2 * float(ncc(scene, points, view, pixel).mean())


def naive(scene, point, normal, view, pixel, patch, best):
    """The plane's homography, scipy's bilinear interpolation, and a loop over the sources."""
    luma = torch.tensor([0.299, 0.587, 0.114]).double() / 255
    greys = (scene["images"].double() @ luma).numpy()
    own = scene["projections"][view]
    half = patch // 2
    grid = [(x, y) for y in range(-half, half + 1) for x in range(-half, half + 1)]
    around = pixel + torch.tensor(grid).double()
    size = scene["images"].shape[1]
    reference = map_coordinates(greys[view], (around.flip(-1) - 0.5).T.numpy(), order=1)
    # x' ~ (M' - (M' c + p') n^T / (n . (c - X))) M^-1 x: through the plane, from camera centre c.
    inverse = torch.linalg.inv(own[:, :3])
    centre = -inverse @ own[:, 3]
    costs = []
    for source in scene["neighbours"][view].tolist():
        other = scene["projections"][source]
        start = other[:, :3] @ centre + other[:, 3]
        plane = torch.outer(start, normal) / (normal @ (centre - point))
        homography = (other[:, :3] - plane) @ inverse
        warped = torch.cat([around, torch.ones_like(around[:, :1])], -1) @ homography.T
        warped = warped[:, :2] / warped[:, 2:]
        if warped.min() < 0.5 or warped.max() > size - 0.5:
            continue
        b = map_coordinates(greys[source], (warped.flip(-1) - 0.5).T.numpy(), order=1)
        a, b = reference - reference.mean(), b - b.mean()
        costs.append(1 - (a * b).sum() ** 2 / ((a * a).sum() * (b * b).sum() + 1e-5))
    costs = sorted(costs)[:best]
    return sum(costs) / max(len(costs), 1)


@pytest.mark.parametrize(("patch", "best"), [(11, 4), (5, 2), (3, 9)])
def test_patch_ncc_equals_homographies_and_a_loop_over_the_sources(scene, patch, best):
    view, pixel, centres, directions, distance = some_rays(scene, count=12, reach=12)
    points = centres + (distance + 0.005)[:, None] * directions
    found = ncc(scene, points, view, pixel, patch=patch, best=best)
    for ray in range(12):
        normal = points[ray] / points[ray].norm()
        expected = naive(scene, points[ray], normal, int(view[ray]), pixel[ray], patch, best)
        assert float(found[ray]) == pytest.approx(expected, abs=1e-6)
    assert found.max() > 1e-3


def test_gradients_agree_with_finite_differences(scene):
    view, pixel, centres, directions, distance = some_rays(scene, count=3, reach=12)
    points = (centres + (distance + 0.005)[:, None] * directions).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: ncc(scene, p, view, pixel), points)


def test_rays_without_a_hit_or_without_a_source_cost_nothing(scene):
    view, pixel, centres, directions, distance = some_rays(scene)
    points = centres + (distance + 0.02)[:, None] * directions
    hit = torch.arange(40) % 2 == 0
    value = ncc(scene, points, view, pixel, hit=hit)
    assert value[~hit].eq(0).all()
    torch.testing.assert_close(value[hit], ncc(scene, points, view, pixel)[hit])
    assert ncc(scene, points, view, pixel, hit=torch.zeros(40).bool()).eq(0).all()

    def inwards(asked, needs):
        return {"gradients": -fake_field(asked, needs)["gradients"]}

    assert ncc(scene, points, view, pixel, field=inwards).eq(0).all()
    at_the_rim = torch.full_like(pixel, 1.5)
    assert ncc(scene, points, view, at_the_rim).eq(0).all()


def test_values_of_compared_rays_are_scaled_to_all_hits(scene):
    view, pixel, centres, directions, distance = some_rays(scene)
    points = centres + (distance + 0.005)[:, None] * directions
    value = ncc(scene, points, view, pixel, rays=10)
    chosen = value.nonzero().squeeze(-1)
    assert len(chosen) == 10
    mean = ncc(scene, points, view, pixel)[chosen].mean()
    torch.testing.assert_close(value.mean(), mean)


def test_brightness_and_contrast_of_an_image_do_not_matter(scene):
    view, pixel, centres, directions, distance = some_rays(scene)
    points = centres + (distance + 0.005)[:, None] * directions
    even = {**scene, "images": scene["images"] // 2 * 2}
    changed = {**scene, "images": even["images"].clone()}
    changed["images"][::2] = even["images"][::2] // 2 + 20
    found, expected = (ncc(each, points, view, pixel) for each in (changed, even))
    # What remains is the floor, which smooth patches feel.
    assert float((found - expected).abs().median()) < 1e-3
    assert float((found - expected).abs().max()) < 0.03


def test_images_smaller_than_a_patch_are_refused_by_name(scene):
    view, pixel, centres, _, _ = some_rays(scene)
    small = {**scene, "images": scene["images"][:, :9, :40]}
    with pytest.raises(ValueError, match=r"patch=11 pixels, but the images are 40 x 9"):
        ncc(small, centres, view, pixel)


def test_visual_hull_penalises_points_outside_of_a_sphere_only(whole):
    generator = torch.Generator().manual_seed(0)
    points = 2 * torch.rand(2000, 3, generator=generator, dtype=torch.float64) - 1
    taken = torch.full((2000,), -0.2, dtype=torch.float64)
    value = visual_hull(taken, points, whole["masks"], whole["projections"], margin=0.05)
    distance = points.norm(dim=-1)
    assert value[distance < sphere.RADIUS - 0.02].eq(0).all()
    assert set(value.tolist()) == {0.0, 0.25}
    assert float((value[distance > 0.8] > 0).double().mean()) > 0.7
    right = visual_hull(distance - sphere.RADIUS, points, whole["masks"], whole["projections"])
    assert float(right.max()) < 0.03


def test_visual_hull_equals_the_loop_over_points_and_views(whole):
    generator = torch.Generator().manual_seed(1)
    points = 3 * torch.rand(300, 3, generator=generator, dtype=torch.float64) - 1.5
    sdf = torch.rand(300, generator=generator, dtype=torch.float64) - 0.5
    found = visual_hull(sdf, points, whole["masks"], whole["projections"], margin=0.1)
    for number in range(300):
        beside = False
        for mask, projection in zip(whole["masks"], whole["projections"], strict=True):
            u, v, w = (projection[:, :3] @ points[number] + projection[:, 3]).tolist()
            column, row = int(u / w // 1), int(v / w // 1)
            seen = w > 0 and 0 <= column < 96 and 0 <= row < 96
            beside |= seen and int(mask[row, column]) < 128
        expected = max(0.0, 0.1 - float(sdf[number])) if beside else 0.0
        assert float(found[number]) == pytest.approx(expected)


def test_the_visual_hull_pushes_the_sdf_up_outside(whole):
    sdf = torch.tensor([-0.3, -0.3], dtype=torch.float64, requires_grad=True)
    points = torch.tensor([[0.0, 0.7, 0.0], [0.0, 0.1, 0.0]], dtype=torch.float64)
    visual_hull(sdf, points, whole["masks"], whole["projections"]).sum().backward()
    assert sdf.grad.tolist() == [-1, 0]
