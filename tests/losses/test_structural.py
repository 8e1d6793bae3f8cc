"""Structural terms: equal to published implementations and naive loops."""

import pytest
import torch
from pytorch_msssim import ms_ssim as library_ms_ssim
from pytorch_msssim import ssim as library_ssim
from skimage.metrics import structural_similarity

from nerfloss.losses.structural import (
    dssim,
    image_gradient,
    ms_ssim,
)
from nerfloss.testing.quantities import fake


def images(count, height, width, *, seed=0):
    """A smooth picture and a noisy, darker copy of it."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6, generator=generator, dtype=torch.float64)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    target = smooth.movedim(1, -1).clamp(0, 1)
    noise = torch.rand(target.shape, generator=generator, dtype=torch.float64)
    return (0.8 * target + 0.15 * noise).clamp(0, 1), target


def first(image):
    return image.movedim(-1, 1)


def test_dssim_equals_scikit_image():
    ours, theirs = images(3, 20, 31)
    found = dssim(ours, theirs)
    for a, b, value in zip(ours, theirs, found, strict=True):
        expected = structural_similarity(
            a.numpy(),
            b.numpy(),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=-1,
        )
        assert float(1 - value.mean()) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("window", [3, 11])
def test_dssim_equals_pytorch_msssim(window):
    ours, theirs = (x.float() for x in images(2, 24, 19))
    expected = library_ssim(first(ours), first(theirs), data_range=1.0, win_size=window)
    found = 1 - dssim(ours, theirs, window=window).mean()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_dssim_equals_the_loop_over_windows():
    ours, theirs = images(1, 12, 13)
    line = torch.tensor([-(i**2) / (2 * 1.5**2) for i in range(-5, 6)], dtype=torch.float64).exp()
    window = line[:, None] * line / (line[:, None] * line).sum()
    found = dssim(ours, theirs)
    assert found.shape == (1, 2, 3, 3)
    for row in range(2):
        for column in range(3):
            a = ours[0, row : row + 11, column : column + 11, 0]
            b = theirs[0, row : row + 11, column : column + 11, 0]
            m_a, m_b = (window * a).sum(), (window * b).sum()
            v_a, v_b = (window * (a - m_a) ** 2).sum(), (window * (b - m_b) ** 2).sum()
            c = (window * (a - m_a) * (b - m_b)).sum()
            likeness = (2 * m_a * m_b + 1e-4) * (2 * c + 9e-4)
            likeness = likeness / ((m_a**2 + m_b**2 + 1e-4) * (v_a + v_b + 9e-4))
            torch.testing.assert_close(found[0, row, column, 0], 1 - likeness)


@pytest.mark.parametrize("term", [dssim, ms_ssim])
def test_similarity_terms_are_0_at_the_target_and_symmetric(term):
    ours, theirs = images(2, 161, 163)
    assert term(theirs, theirs).abs().max() < 1e-12
    torch.testing.assert_close(term(ours, theirs), term(theirs, ours))
    assert term(ours, theirs).mean() > 0


def test_dssim_of_flat_patches_keeps_its_digits_in_float32():
    flat = torch.full((1, 12, 13, 3), 0.7)
    assert dssim(flat, flat).abs().max() < 1e-6
    far = (0.7**2 * 2 * 0.5 + 1e-4) / (0.7**2 + 0.35**2 + 1e-4)
    torch.testing.assert_close(1 - dssim(flat, 0.5 * flat), torch.full((1, 2, 3, 3), far))


def test_a_step_against_the_gradient_of_dssim_makes_patches_more_alike():
    ours, theirs = images(1, 16, 16)
    ours.requires_grad_()
    before = dssim(ours, theirs).mean()
    (slope,) = torch.autograd.grad(before, ours)
    assert dssim(ours - 0.01 * slope / slope.abs().max(), theirs).mean() < before


@pytest.mark.parametrize("size", [(161, 176), (177, 189)])
def test_ms_ssim_equals_pytorch_msssim(size):
    ours, theirs = images(2, *size)
    expected = library_ms_ssim(first(ours), first(theirs), data_range=1.0, size_average=False)
    found = 1 - ms_ssim(ours, theirs).mean(-1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_ms_ssim_is_finite_and_1_where_patches_are_opposite():
    _, theirs = images(1, 41, 41)
    ours = (1 - theirs).float().requires_grad_()
    value = ms_ssim(ours, theirs.float(), scale_weights=(0.3, 0.3, 0.4))
    value.sum().backward()
    assert (value == 1).all()
    assert ours.grad.isfinite().all()


def test_ms_ssim_of_one_scale_is_the_mean_of_dssim():
    ours, theirs = images(2, 20, 20)
    one = ms_ssim(ours, theirs, scale_weights=(1.0,))
    torch.testing.assert_close(one, dssim(ours, theirs).mean((1, 2)))


def test_patches_smaller_than_the_window_are_refused_with_the_settings_to_change():
    small = fake("patch_rgb")
    with pytest.raises(ValueError, match=r"window=13 .* 13 pixels a side, got 12 x 13.*batch.heig"):
        dssim(small, small, window=13)
    with pytest.raises(ValueError, match=r"ms_ssim with window=11 over 5 .* at least 161 pixels"):
        ms_ssim(small, small)


def test_image_gradient_equals_the_loop_over_pixels():
    a, b = fake("patch_rgb"), fake("patch_target_rgb")
    found = image_gradient(a, b)
    assert found.shape == (2, 11, 12, 3)
    for row in range(11):
        for column in range(12):
            across = (a[:, row, column + 1] - a[:, row, column]) - (
                b[:, row, column + 1] - b[:, row, column]
            )
            down = (a[:, row + 1, column] - a[:, row, column]) - (
                b[:, row + 1, column] - b[:, row, column]
            )
            torch.testing.assert_close(found[:, row, column], across.abs() + down.abs())


def test_image_gradient_sees_edges_and_no_offset():
    ours, theirs = images(1, 12, 12)
    torch.testing.assert_close(image_gradient(ours + 0.3, ours), torch.zeros(1, 11, 11, 3).double())
    assert image_gradient(ours, theirs).mean() > 0
