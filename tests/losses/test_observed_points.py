"""Terms at observed surface points: values for exact fields, and directions of gradients."""

import torch
from known_fields import plane_field, small_sdf_field

from nerfloss.losses.observed_points import surface_points_normal, surface_points_sdf
from nerfloss.recipe.term import Term
from nerfloss.testing.quantities import fake, fake_field


def test_points_on_the_surface_cost_nothing_and_others_their_distance():
    normals = fake("target_point_normals")
    assert float(surface_points_sdf(fake_field, 0.5 * normals).max()) < 1e-6
    torch.testing.assert_close(surface_points_sdf(fake_field, 0.2 * normals), torch.full((8,), 0.3))
    points = fake("target_points")
    torch.testing.assert_close(surface_points_sdf(plane_field(), points), points[:, 2].abs())


def test_a_normal_costs_one_minus_its_cosine_whatever_its_length():
    normals = fake("target_point_normals")
    same = surface_points_normal(fake_field, 3.0 * normals, 5.0 * normals)
    torch.testing.assert_close(same, torch.zeros(8), atol=1e-6, rtol=0)
    opposite = surface_points_normal(fake_field, 3.0 * normals, -normals)
    torch.testing.assert_close(opposite, torch.full((8,), 2.0))
    across = surface_points_normal(plane_field(), normals, torch.tensor([[1.0, 0, 0]] * 8))
    torch.testing.assert_close(across, torch.ones(8))


def test_points_count_by_their_confidence():
    points, trust = fake("target_points"), fake("target_point_confidence")
    given = {"field": fake_field, "target_points": points, "target_point_confidence": trust}
    found = Term(surface_points_sdf, where="target_point_confidence")(given)
    errors = (points.norm(dim=-1) - 0.5).abs()
    torch.testing.assert_close(found, (trust * errors).sum() / trust.sum())


def test_descending_moves_a_real_surface_to_the_points():
    field = small_sdf_field()
    points = 0.6 * fake("target_point_normals")
    normals = fake("target_point_normals")
    optimizer = torch.optim.Adam(field.network.parameters(), 1e-2)

    def terms():
        return (
            surface_points_sdf(field, points).mean(),
            surface_points_normal(field, points, normals).mean(),
        )

    before = [float(each.detach()) for each in terms()]
    for _ in range(30):
        optimizer.zero_grad()
        sum(terms()).backward()
        optimizer.step()
    after = [float(each.detach()) for each in terms()]
    assert after[0] < 0.3 * before[0]
    assert after[1] < before[1]
