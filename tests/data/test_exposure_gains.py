"""Synthetic views whose exposure differs."""

import pytest
import torch

from nerfloss.data.synthetic.dataset import AnalyticDataset
from nerfloss.data.synthetic.exposure_gains import exposure_gains

TINY = {"views": 5, "test_views": 2, "size": 16, "supersampling": 1, "points": 0}


def test_gains_fill_their_range_evenly_and_their_order_depends_on_the_seed():
    gains = exposure_gains(0.7, 1.3, 60, 0)
    assert 0.7 < gains.min() < 0.71
    assert 1.29 < gains.max() < 1.3
    torch.testing.assert_close(gains.mean(), torch.tensor(1.0))
    assert torch.equal(gains, exposure_gains(0.7, 1.3, 60, 0))
    assert not torch.equal(gains, exposure_gains(0.7, 1.3, 60, 1))


def test_training_views_are_multiplied_by_their_gains_and_saturate_and_test_views_are_not():
    plain = AnalyticDataset(**TINY).load()
    scene = AnalyticDataset(**TINY, exposure_gains=[0.5, 2.0]).load()
    gains = exposure_gains(0.5, 2.0, 5, 0)
    for image, other, gain in zip(scene.train.rgb, plain.train.rgb, gains.tolist(), strict=True):
        expected = (other.double() * gain).round().clamp(max=255)
        assert (image.double() - expected).abs().max() <= 1
    assert torch.equal(scene.test.rgb, plain.test.rgb)
    assert torch.equal(scene.train.mask, plain.train.mask)
    assert scene.conventions["exposure"] == "gains of 0.5 to 2 in training views, 1 in test views"
    assert "exposure" not in plain.conventions


@pytest.mark.parametrize("gains", [[1.3, 0.7], [0.7], [0.0, 1.0], 0.7, ["a", "b"]])
def test_gains_that_are_no_range_are_refused_with_an_example(gains):
    with pytest.raises(ValueError, match=r"dataset\.exposure_gains=.*as in \[0\.7,1\.3\]"):
        AnalyticDataset(**TINY, exposure_gains=gains)
