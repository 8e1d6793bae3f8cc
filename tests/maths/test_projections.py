"""Cameras as matrices: projection and rays through pixels are inverse to each other."""

import torch

from nerfloss.maths.projections import centre_and_inverse, project
from nerfloss.testing.quantities import fake


def test_points_on_the_ray_through_a_pixel_are_seen_at_that_pixel():
    cameras = fake("view_projections", dtype=torch.float64)
    centre, inverse = centre_and_inverse(cameras)
    pixel = torch.tensor([3.25, 7.5, 1.0], dtype=torch.float64)
    points = centre + 2.5 * (inverse @ pixel)
    seen, depth = project(points, cameras)
    torch.testing.assert_close(seen, pixel[:2].expand(4, 2))
    torch.testing.assert_close(depth, torch.full((4,), 2.5, dtype=torch.float64))


def test_the_inverse_is_linear_algebras_and_the_centre_is_seen_nowhere():
    cameras = fake("view_projections", dtype=torch.float64)
    centre, inverse = centre_and_inverse(cameras)
    torch.testing.assert_close(inverse, torch.linalg.inv(cameras[..., :3]))
    homogeneous = torch.cat([centre, torch.ones(4, 1, dtype=torch.float64)], -1)
    seen = (cameras @ homogeneous[..., None]).squeeze(-1)
    torch.testing.assert_close(seen, torch.zeros_like(seen), atol=1e-9, rtol=0)


def test_projecting_equals_the_loop_over_cameras_and_points():
    cameras = fake("view_projections", dtype=torch.float64)
    points = fake("space_points", dtype=torch.float64)
    seen, depth = project(points, cameras[:, None])
    for v in range(4):
        for k in range(7):
            u = cameras[v] @ torch.cat([points[k], points.new_ones(1)])
            torch.testing.assert_close(depth[v, k], u[2])
            torch.testing.assert_close(seen[v, k], u[:2] / u[2])


def test_a_matrix_that_is_no_camera_gives_finite_numbers():
    for value in (0.0, 1.0, 1e6):
        centre, inverse = centre_and_inverse(torch.full((2, 3, 4), value))
        assert centre.isfinite().all()
        assert inverse.isfinite().all()
