"""Spectral terms: equal to sums over waves, with the promised normalisation."""

import cmath

import pytest
import torch

from nerfloss.losses.photometric import l2
from nerfloss.losses.spectral import (
    focal_frequency,
    fourier,
)
from nerfloss.testing.quantities import fake


@pytest.fixture
def pair():
    names = ("patch_rgb", "patch_target_rgb")
    return tuple(fake(name, dtype=torch.float64) for name in names)


@pytest.mark.parametrize("power", [1, 2])
def test_fourier_equals_the_sum_over_waves(power):
    sequence = fake("weights", dtype=torch.float64)
    other = fake("weights", seed=1, dtype=torch.float64)
    found = fourier(sequence, other, dims=(-1,), power=power)
    rays, length = sequence.shape
    for ray in range(rays):
        for frequency in range(length):
            wave = [cmath.exp(-2j * cmath.pi * frequency * k / length) for k in range(length)]
            a, b = (
                sum(float(x[ray, k]) * wave[k] for k in range(length)) / length
                for x in (sequence, other)
            )
            expected = abs(a.real - b.real) ** power + abs(a.imag - b.imag) ** power
            assert float(found[ray, frequency]) == pytest.approx(expected)


def test_fourier_over_patches_is_torchs_transform_of_both(pair):
    a, b = (torch.fft.fft2(x, dim=(1, 2), norm="forward") for x in pair)
    expected = (a.real - b.real).abs() + (a.imag - b.imag).abs()
    torch.testing.assert_close(fourier(*pair), expected)


def test_fourier_counts_an_offset_once_at_frequency_0(pair):
    a, _ = pair
    found = fourier(a + 0.25, a)
    torch.testing.assert_close(found[:, 0, 0], torch.full((2, 3), 0.25).double())
    assert found.flatten(1, 2)[:, 1:].abs().max() < 1e-12


def test_squared_fourier_sums_to_the_mean_square(pair):
    found = fourier(*pair, power=2).sum((1, 2))
    torch.testing.assert_close(found, l2(*pair).mean((1, 2)))


def test_fourier_and_focal_frequency_are_0_at_the_target(pair):
    a, _ = pair
    for term in (fourier, focal_frequency):
        prediction = a.clone().requires_grad_()
        value = term(prediction, a)
        value.sum().backward()
        assert (value == 0).all()
        assert (prediction.grad == 0).all()


def test_descending_fourier_approaches_the_target(pair):
    a, b = pair
    a.requires_grad_()
    (slope,) = torch.autograd.grad(fourier(a, b).sum(), a)
    assert fourier(a.detach() - 1e-3 * slope, b).sum() < fourier(a.detach(), b).sum()


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_focal_frequency_equals_the_loop_over_patches_and_channels(pair, alpha):
    a, b = pair
    found = focal_frequency(a, b, alpha=alpha)
    for patch in range(len(a)):
        for channel in range(3):
            difference = torch.fft.fft2(a[patch, ..., channel], norm="ortho") - torch.fft.fft2(
                b[patch, ..., channel], norm="ortho"
            )
            size = difference.abs()
            expected = (size**alpha / (size**alpha).max()) * size**2
            torch.testing.assert_close(found[patch, ..., channel], expected)


def test_focal_frequency_without_focus_is_the_mean_square(pair):
    torch.testing.assert_close(focal_frequency(*pair, alpha=0.0).mean(), l2(*pair).mean())


def test_focal_frequency_weights_have_no_gradient(pair):
    a, b = pair
    a.requires_grad_()
    (slope,) = torch.autograd.grad(focal_frequency(a, b).sum(), a)
    difference = torch.fft.fft2((a - b).detach(), dim=(1, 2), norm="ortho")
    weight = difference.abs() / difference.abs().amax((1, 2), keepdim=True)
    # d/da sum w |F d|^2 with fixed w is 2 F^-1(w F d): the transform is orthonormal.
    expected = 2 * torch.fft.ifft2(weight * difference, dim=(1, 2), norm="ortho").real
    torch.testing.assert_close(slope, expected)
