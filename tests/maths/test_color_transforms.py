"""Affine colour transforms, and bilateral grids of them."""

import pytest
import torch

from nerfloss.maths.color_transforms import (
    identity_transform,
    luminance,
    sliced_grids,
    transformed_colors,
)


def interpolated(grid, x, y, z):
    """The naive loop over the 8 vertices around one place of one image's grid."""
    levels, rows, columns = grid.shape[:3]
    found = torch.zeros(3, 4, dtype=grid.dtype)
    for level in range(levels):
        for row in range(rows):
            for column in range(columns):
                near = [
                    max(0.0, 1 - abs(place * (count - 1) - index))
                    for place, count, index in (
                        (x, columns, column),
                        (y, rows, row),
                        (z, levels, level),
                    )
                ]
                found += near[0] * near[1] * near[2] * grid[level, row, column]
    return found


@pytest.fixture
def grids():
    return torch.randn(2, 3, 4, 5, 3, 4, dtype=torch.float64)


def test_slicing_interpolates_between_the_eight_vertices_of_the_rays_image(grids):
    image = torch.tensor([0, 1, 1, 0, 1])
    places = torch.rand(5, 3, dtype=torch.float64)
    places[3], places[4] = 0.0, 1.0
    expected = [interpolated(grids[i], *p) for i, p in zip(image, places.tolist(), strict=True)]
    torch.testing.assert_close(sliced_grids(grids, image, places), torch.stack(expected))


def test_places_beyond_the_grid_are_those_at_its_border(grids):
    image = torch.zeros(2, dtype=torch.int64)
    beyond = torch.tensor([[-0.5, 2.0, 0.3], [1.5, -1.0, 7.0]], dtype=torch.float64)
    expected = sliced_grids(grids, image, beyond.clamp(0, 1))
    torch.testing.assert_close(sliced_grids(grids, image, beyond), expected)


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 1, 1), (2, 1, 3)])
def test_the_gradient_of_slicing_is_right(shape):
    grids = torch.randn(2, *shape, 3, 4, dtype=torch.float64, requires_grad=True)
    places = (0.05 + 0.9 * torch.rand(4, 3, dtype=torch.float64)).requires_grad_()
    image = torch.tensor([0, 1, 1, 0])
    assert torch.autograd.gradcheck(lambda g, p: sliced_grids(g, image, p), (grids, places))


def test_a_place_that_is_not_a_number_makes_a_transform_that_is_none(grids):
    places = torch.full((1, 3), 0.5, dtype=torch.float64)
    places[0, 2] = torch.nan
    assert sliced_grids(grids, torch.zeros(1, dtype=torch.int64), places).isnan().all()


def test_the_identity_leaves_colours_as_they_are():
    colors, shares = torch.rand(7, 3), torch.rand(7)
    same = transformed_colors(colors, shares, identity_transform().expand(7, 3, 4))
    assert torch.equal(same, colors)


def test_premultiplied_colours_are_transformed_as_straight_ones():
    straight, shares = torch.rand(7, 3, dtype=torch.float64), torch.rand(7, dtype=torch.float64)
    transforms = torch.randn(7, 3, 4, dtype=torch.float64)
    found = transformed_colors(straight * shares[:, None], shares, transforms)
    expected = torch.stack(
        [s * (t[:, :3] @ c + t[:, 3]) for c, s, t in zip(straight, shares, transforms, strict=True)]
    )
    torch.testing.assert_close(found, expected)


def test_grey_has_its_own_luminance():
    grey = torch.linspace(0, 1, 5)
    torch.testing.assert_close(luminance(grey[:, None].expand(5, 3)), grey)
