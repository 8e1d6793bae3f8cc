"""Terms on how light is stopped along rays: opacity, masks, distortion, depth."""

import math

import pytest
import torch
from torch.nn import functional

from nerfloss.losses.depth import depth_nll
from nerfloss.losses.mask import mask_bce
from nerfloss.losses.opacity import opacity_entropy
from nerfloss.losses.volume import distortion
from nerfloss.testing.quantities import fake


def test_mask_bce_is_torchs_inside_the_clamp():
    opacity, mask = fake("opacity"), fake("target_mask")
    expected = functional.binary_cross_entropy(opacity, mask, reduction="none")
    torch.testing.assert_close(mask_bce(opacity, mask), expected)


def test_mask_bce_is_bounded_where_opacity_contradicts_the_mask():
    value = mask_bce(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]), eps=1e-3)
    torch.testing.assert_close(value, torch.full((2,), -math.log(1e-3)))


def test_opacity_entropy_peaks_in_the_middle_and_is_symmetric():
    opacity = torch.tensor([0.1, 0.5, 0.9])
    value = opacity_entropy(opacity)
    torch.testing.assert_close(value[1], torch.tensor(math.log(2)))
    torch.testing.assert_close(value[0], value[2])
    assert value[0] < value[1]


def test_opacity_entropy_pulls_towards_the_nearer_end():
    opacity = torch.tensor([0.3, 0.7], requires_grad=True)
    opacity_entropy(opacity).sum().backward()
    assert opacity.grad[0] > 0 > opacity.grad[1]


def test_distortion_equals_the_double_sum():
    weights, starts, ends = (
        fake(name, dtype=torch.float64) for name in ("weights", "t_starts", "t_ends")
    )
    found = distortion(weights, starts, ends)
    for ray in range(len(found)):
        w, a, b = (x[ray].tolist() for x in (weights, starts, ends))
        m = [(begin + end) / 2 for begin, end in zip(a, b, strict=True)]
        every = range(len(w))
        between = sum(w[i] * w[j] * abs(m[i] - m[j]) for i in every for j in every)
        within = sum(w[i] ** 2 * (b[i] - a[i]) for i in every) / 3
        assert float(found[ray]) == pytest.approx(between + within)


def test_distortion_ignores_padding():
    weights, starts, ends = fake("weights"), fake("t_starts"), fake("t_ends")
    none = torch.zeros(len(weights), 2)
    padded = distortion(*(torch.cat([x, none], -1) for x in (weights, starts, ends)))
    torch.testing.assert_close(padded, distortion(weights, starts, ends))


def test_depth_nll_equals_the_loop_over_samples():
    names = ("weights", "t_starts", "t_ends", "target_depth")
    weights, starts, ends, depth = (fake(name, dtype=torch.float64) for name in names)
    found = depth_nll(weights, starts, ends, depth, sigma=0.2)
    for ray in range(len(found)):
        expected = 0.0
        for w, a, b in zip(weights[ray], starts[ray], ends[ray], strict=True):
            near = math.exp(-((float(a + b) / 2 - float(depth[ray])) ** 2) / (2 * 0.2**2))
            expected -= math.log(float(w) + 1e-5) * near * float(b - a)
        assert float(found[ray]) == pytest.approx(expected)


def test_depth_nll_raises_the_weight_at_the_observed_depth_most():
    starts = torch.linspace(0, 0.9, 10)[None]
    weights = torch.full((1, 10), 0.05, requires_grad=True)
    depth_nll(weights, starts, starts + 0.1, torch.tensor([0.45]), sigma=0.1).sum().backward()
    assert weights.grad.argmin().item() == 4


def test_depth_nll_lifts_weight_from_zero():
    starts = torch.tensor([[0.0, 0.1]])
    weights = torch.zeros(1, 2, requires_grad=True)
    depth_nll(weights, starts, starts + 0.1, torch.tensor([0.05]), sigma=0.1).sum().backward()
    assert (weights.grad < 0).all()
