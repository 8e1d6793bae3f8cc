"""Image metrics agree with loops, closed forms and scikit-image; without a value they say why."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.metrics.image import (
    mask_accuracy,
    mask_fbeta,
    mask_iou,
    mask_precision,
    mask_recall,
    ms_ssim,
    psnr,
    psnr_masked,
    ssim,
)


def images(height=40, width=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(height, width, 3, generator=generator)
    return image, (image + 0.1 * torch.randn(image.shape, generator=generator)).clamp(0, 1)


def test_psnr_of_a_constant_difference_is_known():
    image = torch.full((4, 5, 3), 0.5)
    assert psnr(image + 0.1, image).item() == pytest.approx(20.0, abs=1e-4)


def test_psnr_of_equal_images_is_infinite():
    image, _ = images()
    assert math.isinf(psnr(image, image))


def test_psnr_masked_sees_only_the_mask():
    image, other = images()
    mask = torch.zeros(40, 50)
    mask[10:20, 5:30] = 1
    cropped = psnr(image[10:20, 5:30], other[10:20, 5:30])
    assert psnr_masked(image, other, mask).item() == pytest.approx(cropped.item(), abs=1e-5)


def test_psnr_masked_of_an_empty_mask_says_so():
    image, other = images()
    with pytest.raises(UndefinedMetric, match="mask of this view is empty"):
        psnr_masked(image, other, torch.zeros(40, 50))


def test_ssim_equals_scikit_image():
    image, other = images()
    expected = structural_similarity(
        image.numpy().astype(np.float64),
        other.numpy().astype(np.float64),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=-1,
    )
    assert ssim(image, other).item() == pytest.approx(expected, abs=1e-5)


def test_ssim_does_not_depend_on_the_range_that_the_images_happen_to_have():
    image, other = images()
    # With the range taken from the images, SSIM would not change under this scaling.
    assert abs(ssim(image / 4, other / 4) - ssim(image, other)) > 1e-3


def test_ssim_of_an_image_smaller_than_the_window_says_so():
    image, other = images(10, 30)
    with pytest.raises(UndefinedMetric, match="at least 11 pixels a side, got 10 x 30"):
        ssim(image, other)


def test_ms_ssim_is_one_for_equal_images_and_lower_for_others():
    image, other = images(161, 170)
    assert ms_ssim(image, image).item() == pytest.approx(1.0)
    assert ms_ssim(image, other) < 0.999


def test_ms_ssim_of_a_small_image_says_so():
    image, other = images(160, 170)
    with pytest.raises(UndefinedMetric, match="at least 161 pixels"):
        ms_ssim(image, other)


def test_mask_metrics_equal_counting():
    generator = torch.Generator().manual_seed(1)
    opacity, mask = torch.rand(9, 7, generator=generator), torch.rand(9, 7, generator=generator)
    both = only_ours = only_theirs = neither = 0
    for o, m in zip(opacity.flatten().tolist(), mask.flatten().tolist(), strict=True):
        both += o > 0.5 and m > 0.5
        only_ours += o > 0.5 and not m > 0.5
        only_theirs += m > 0.5 and not o > 0.5
        neither += not o > 0.5 and not m > 0.5
    p, r = both / (both + only_ours), both / (both + only_theirs)
    assert mask_iou(opacity, mask).item() == pytest.approx(both / (63 - neither))
    assert mask_accuracy(opacity, mask).item() == pytest.approx((both + neither) / 63)
    assert mask_precision(opacity, mask).item() == pytest.approx(p)
    assert mask_recall(opacity, mask).item() == pytest.approx(r)
    expected = (4 + 1) * p * r / (4 * p + r)
    assert mask_fbeta(opacity, mask, beta=2.0).item() == pytest.approx(expected)


def test_fbeta_is_zero_where_nothing_overlaps():
    mask = torch.tensor([[1.0, 0.0]])
    assert mask_fbeta(1 - mask, mask) == 0


@pytest.mark.parametrize("metric", [mask_iou, mask_precision, mask_recall, mask_fbeta])
def test_mask_metrics_of_nothing_have_no_value(metric):
    with pytest.raises(UndefinedMetric):
        metric(torch.zeros(3, 3), torch.zeros(3, 3))
