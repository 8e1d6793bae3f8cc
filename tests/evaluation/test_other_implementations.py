"""Our metrics beside other implementations: scikit-image, torchmetrics, point-cloud-utils."""

import numpy as np
import pytest
import torch
import trimesh
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from nerfloss.evaluation.metrics.image import psnr, ssim
from nerfloss.evaluation.point_to_triangle import distances_to_surface


def pairs():
    """Six pairs of images: smooth, noisy, dark, of odd sizes."""
    generator = torch.Generator().manual_seed(0)
    for number in range(6):
        size = (24 + 5 * number, 40 - 3 * number)
        rows, columns = torch.meshgrid(*map(torch.arange, size), indexing="ij")
        wave = 0.5 + 0.5 * torch.sin(rows / (2 + number) + columns / 5)
        image = torch.stack([wave, wave**2, 1 - wave], -1) / (1 + number % 3)
        noise = torch.randn(image.shape, generator=generator)
        yield image, (image + 0.05 * (number + 1) * noise).clamp(0, 1)


def test_psnr_and_ssim_equal_those_of_scikit_image():
    for image, other in pairs():
        a, b = image.double().numpy(), other.double().numpy()
        assert float(psnr(other, image)) == pytest.approx(
            peak_signal_noise_ratio(a, b, data_range=1), abs=1e-4
        )
        expected = structural_similarity(
            a,
            b,
            data_range=1,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert float(ssim(other, image)) == pytest.approx(expected, abs=1e-5)


def test_psnr_and_ssim_equal_those_of_torchmetrics():
    functional = pytest.importorskip("torchmetrics.functional.image")
    for image, other in pairs():
        a, b = (x.movedim(-1, 0)[None] for x in (image, other))
        theirs = functional.peak_signal_noise_ratio(b, a, data_range=1.0)
        assert float(psnr(other, image)) == pytest.approx(float(theirs), abs=1e-4)
        # Its mean includes windows that cross the border, where images are reflected.
        _, windows = functional.structural_similarity_index_measure(
            b, a, data_range=1.0, return_full_image=True
        )
        inside = float(windows[..., 5:-5, 5:-5].mean())
        assert float(ssim(other, image)) == pytest.approx(inside, abs=1e-5)


def soup(seed: int, *, degenerate: bool):
    """Random triangles; a third of them lines, points, or slivers, if ``degenerate``."""
    generator = np.random.default_rng(seed)
    triangles = generator.random((60, 3, 3))
    if degenerate:
        triangles[:8, 2] = triangles[:8, :2].mean(1)  # three points of a line
        triangles[8:14, 1] = triangles[8:14, 0]  # an edge of no length
        triangles[14:18] = triangles[14:18, :1]  # a point
        triangles[18:22, 2] = triangles[18:22, :2].mean(1) + 1e-9
    vertices = triangles.reshape(-1, 3)
    mesh = trimesh.Trimesh(vertices, np.arange(180).reshape(-1, 3), process=False)
    return mesh, generator.random((300, 3)) * 1.6 - 0.3


def closest_by_hand(point, triangle):
    """The distance of a point to a triangle: to its plane inside of it, else to its edges."""
    a, b, c = triangle
    best = min(to_segment(point, *edge) for edge in ((a, b), (b, c), (c, a)))
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal)
    if length > 1e-12:
        normal = normal / length
        foot = point - normal * ((point - a) @ normal)
        corners = ((a, b), (b, c), (c, a))
        if all(np.cross(q - p, foot - p) @ normal >= 0 for p, q in corners):
            best = min(best, abs((point - a) @ normal))
    return best


def to_segment(point, a, b):
    length = (b - a) @ (b - a)
    t = 0.0 if length == 0 else np.clip((point - a) @ (b - a) / length, 0, 1)
    return np.linalg.norm(point - a - t * (b - a))


@pytest.mark.parametrize("degenerate", [False, True])
def test_distances_to_triangles_equal_a_loop_over_them(degenerate):
    mesh, points = soup(0, degenerate=degenerate)
    found = distances_to_surface(points, mesh)
    expected = [min(closest_by_hand(p, t) for t in mesh.triangles) for p in points[:60]]
    assert found[:60] == pytest.approx(np.array(expected), abs=1e-7)


@pytest.mark.parametrize("degenerate", [False, True])
def test_distances_to_triangles_equal_those_of_point_cloud_utils(degenerate):
    pcu = pytest.importorskip("point_cloud_utils")
    for seed in range(3):
        mesh, points = soup(seed, degenerate=degenerate)
        theirs = pcu.closest_points_on_mesh(
            points, np.asarray(mesh.vertices), np.asarray(mesh.faces)
        )[0]
        ours = distances_to_surface(points, mesh)
        differ = np.flatnonzero(np.abs(ours - theirs) > 1e-6)
        # It misses triangles whose corners lie on a line: there the loop decides.
        assert len(differ) <= 3 * degenerate
        for index in differ:
            nearest = min(closest_by_hand(points[index], t) for t in mesh.triangles)
            assert ours[index] == pytest.approx(nearest, abs=1e-7)
            assert ours[index] < theirs[index]
