"""Rays against boxes and spheres: against stepping along the ray."""

import torch

from nerfloss.geometry import Rays, intersect_box, intersect_sphere

BOX = torch.tensor([[-1.0, -0.5, -0.8], [0.9, 0.7, 1.0]])


def random_rays(count=200):
    generator = torch.Generator().manual_seed(0)
    origins = torch.randn(count, 3, generator=generator) * 1.5
    targets = torch.randn(count, 3, generator=generator)
    directions = torch.nn.functional.normalize(targets - origins, dim=-1)
    index = torch.arange(count)
    return Rays(origins, directions, torch.zeros(count, 2), index, torch.zeros(count, 3))


def stepped(rays, inside):
    """First and last distance found inside a shape by small steps; 0 and 0 where none is."""
    t = torch.linspace(0, 10, 5001)
    points = rays.origins[:, None] + t[:, None] * rays.directions[:, None]
    found = inside(points)
    first = torch.where(found.any(-1), t[found.int().argmax(-1)], 0.0)
    last = torch.where(found.any(-1), t[5000 - found.flip(-1).int().argmax(-1)], 0.0)
    return first, last


def assert_close(found, expected):
    # A chord shorter than a step may go unnoticed by the stepping.
    seen = (found[1] - found[0]) > 0.01
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a[seen], b[seen], atol=3e-3, rtol=0)
    assert (expected[1][~seen] - expected[0][~seen] < 0.02).all()


def test_a_box_is_entered_and_left_where_stepping_finds_it():
    rays = random_rays()
    inside = stepped(rays, lambda p: ((p >= BOX[0]) & (p <= BOX[1])).all(-1))
    assert_close(intersect_box(rays, BOX), inside)


def test_a_sphere_is_entered_and_left_where_stepping_finds_it():
    rays = random_rays()
    assert_close(intersect_sphere(rays, 0.8), stepped(rays, lambda p: p.norm(dim=-1) <= 0.8))


def test_a_ray_along_an_axis_meets_the_box():
    origins = torch.tensor([[0.0, 0.0, -3.0], [0.0, 2.0, -3.0]])
    directions = torch.tensor([[0.0, 0.0, 1.0]] * 2)
    index = torch.zeros(2, dtype=torch.int64)
    rays = Rays(origins, directions, torch.zeros(2, 2), index, torch.zeros(2, 3))
    enter, leave = intersect_box(rays, BOX)
    torch.testing.assert_close(torch.stack([enter, leave], -1), torch.tensor([[2.2, 4.0], [0, 0]]))


def test_chunks_are_the_same_rays_in_order():
    rays = random_rays(10)
    views = [chunk.view for chunk in rays.chunks(4)]
    assert [len(v) for v in views] == [4, 4, 2]
    assert torch.equal(torch.cat(views), rays.view)
