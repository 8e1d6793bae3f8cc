"""Interpolation of grey values equals torch.nn.functional.grid_sample."""

import torch
from torch.nn import functional

from nerfloss.maths.images import LUMA, grey_and_slope_at, grey_at, inside


def test_grey_is_what_torch_samples_with_extended_borders():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (3, 7, 9, 3), generator=generator, dtype=torch.uint8)
    image = torch.randint(0, 3, (50,), generator=generator)
    pixels = torch.rand(50, 2, generator=generator, dtype=torch.float64) * 13 - 2
    grey = images.double() @ torch.tensor(LUMA).double() / 255
    # grid_sample's [-1, 1] spans the image from edge to edge
    grid = 2 * pixels / torch.tensor([9.0, 7.0]).double() - 1
    for number in range(3):
        chosen = image == number
        expected = functional.grid_sample(
            grey[number][None, None],
            grid[chosen][None, None],
            padding_mode="border",
            align_corners=False,
        )
        found = grey_at(images, image[chosen], pixels[chosen])
        torch.testing.assert_close(found, expected[0, 0, 0])


def test_at_a_pixels_centre_is_its_own_value():
    images = torch.arange(2 * 3 * 4 * 3).reshape(2, 3, 4, 3).to(torch.uint8)
    found = grey_at(images, torch.tensor([1]), torch.tensor([[2.5, 1.5]]))
    expected = images[1, 1, 2].float() @ torch.tensor(LUMA) / 255
    torch.testing.assert_close(found, expected[None])


def test_images_of_one_pixel_have_one_value():
    images = torch.full((1, 1, 1, 3), 51, dtype=torch.uint8)
    pixels = torch.tensor([[0.5, 0.5], [-3.0, 8.0]])
    found = grey_at(images, torch.tensor([0, 0]), pixels)
    torch.testing.assert_close(found, torch.full((2,), 0.2), rtol=1e-3, atol=0)


def test_slopes_are_derivatives_of_the_values():
    images = torch.randint(0, 256, (1, 6, 6, 3), generator=torch.Generator().manual_seed(0))
    pixels, first = 0.7 + 4.5 * torch.rand(8, 2, dtype=torch.float64), torch.zeros(8).long()
    _, slopes = grey_and_slope_at(images, first, pixels)
    for axis, move in enumerate(1e-6 * torch.eye(2, dtype=torch.float64)):
        rise = grey_at(images, first, pixels + move) - grey_at(images, first, pixels - move)
        torch.testing.assert_close(slopes[:, axis], rise / 2e-6, rtol=1e-6, atol=1e-8)


def test_inside_ends_half_a_pixel_from_the_edge():
    pixels = torch.tensor([[0.5, 0.5], [0.4, 1.0], [3.5, 1.5], [3.6, 1.0], [1.0, 1.6]])
    assert inside(pixels, height=2, width=4).tolist() == [True, False, True, False, False]
