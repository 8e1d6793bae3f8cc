"""Perceptual terms: equal to naive loops over features, with frozen networks."""

from pathlib import Path

import pytest
import torch
from random_weights import random_linear, random_weights
from torch.nn import functional

from nerfloss.evaluation.metrics.lpips import Lpips as Metric
from nerfloss.losses import perceptual as terms
from nerfloss.losses.perceptual import Lpips, Perceptual, Style
from nerfloss.losses.pretrained import loading
from nerfloss.losses.pretrained.downloads import MissingWeights

SQUEEZE = "squeezenet1_1_caffe_features_tvlayout.pth"


@pytest.fixture
def squeeze_file(weights_folder):
    return str(random_weights("squeeze", weights_folder))


@pytest.fixture
def linear_file(weights_folder):
    return str(random_linear("squeeze", weights_folder))


def patches(seed=0, count=2, side=20):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, side, side, 3, generator=generator)


def normalised(images):
    """As torchvision's networks are fed: ImageNet's mean and deviation, channels first."""
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((images - mean) / deviation).movedim(-1, 1)


def convolution(image, weight, bias, stride=1):
    """The naive loop over output pixels."""
    size = weight.shape[-1]
    rows, columns = ((side - size) // stride + 1 for side in image.shape[1:])
    out = torch.zeros(len(weight), rows, columns)
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride, column * stride
            window = image[:, top : top + size, left : left + size]
            out[:, row, column] = (weight * window).sum((1, 2, 3)) + bias
    return out


def first_features(file, image):
    weights = torch.load(file)
    weight, bias = weights["features.0.weight"], weights["features.0.bias"]
    return convolution(normalised(image[None])[0], weight, bias, stride=2).relu()


def test_perceptual_is_the_mean_squared_difference_of_features(squeeze_file):
    term = Perceptual(
        backbone="squeeze", layers=["relu1"], layer_weights=[0.5], weights=squeeze_file
    )
    ours, theirs = patches(0, side=7), patches(1, side=7)
    for patch, found in enumerate(term(ours, theirs)):
        x, y = (first_features(squeeze_file, each[patch]) for each in (ours, theirs))
        expected = sum(float((a - b) ** 2) for a, b in zip(x.flatten(), y.flatten(), strict=True))
        assert float(found) == pytest.approx(0.5 * expected / x.numel(), rel=1e-4)


def test_style_is_the_squared_distance_of_gram_matrices(squeeze_file):
    term = Style(backbone="squeeze", layers=["relu1"], layer_weights=[2.0], weights=squeeze_file)
    ours, theirs = patches(0, 1, side=7), patches(1, 1, side=7)
    grams = []
    for image in (ours[0], theirs[0]):
        features = first_features(squeeze_file, image)
        channels, pixels = len(features), features[0].numel()
        gram = torch.zeros(channels, channels)
        for row in range(features.shape[1]):
            for column in range(features.shape[2]):
                gram += torch.outer(features[:, row, column], features[:, row, column])
        grams.append(gram / (channels * pixels))
    expected = 2.0 * ((grams[0] - grams[1]) ** 2).sum()
    torch.testing.assert_close(term(ours, theirs)[0], expected, rtol=1e-4, atol=1e-10)


def test_layers_add_up_with_their_weights(squeeze_file):
    def term(layers, layer_weights):
        return Perceptual(
            backbone="squeeze", layers=layers, layer_weights=layer_weights, weights=squeeze_file
        )(patches(0), patches(1))

    both = term(["relu1", "fire3"], [0.3, 2.0])
    torch.testing.assert_close(both, 0.3 * term(["relu1"], None) + 2 * term(["fire3"], None))


def test_lpips_is_the_metric_of_that_name(squeeze_file, linear_file, monkeypatch):
    monkeypatch.setattr(loading, "network_file", lambda *_, **__: Path(squeeze_file))
    monkeypatch.setattr(loading, "lpips_file", lambda *_, **__: Path(linear_file))
    metric = Metric(backbone="squeeze")
    term = Lpips(backbone="squeeze", weights=squeeze_file, linear=linear_file)
    ours, theirs = patches(0), patches(1)
    expected = torch.stack([metric(x, y) for x, y in zip(ours, theirs, strict=True)])
    torch.testing.assert_close(term(ours, theirs), expected)


@pytest.fixture(params=[Perceptual, Style, Lpips])
def term(request, squeeze_file, linear_file):
    more = {"linear": linear_file} if request.param is Lpips else {}
    return request.param(backbone="squeeze", weights=squeeze_file, **more)


def test_equal_patches_cost_nothing_and_others_more(term):
    same, other = patches(0), patches(1)
    assert (term(same, same.clone()) == 0).all()
    assert (term(other, same) > 0).all()


def test_a_step_down_the_gradient_brings_the_patch_nearer(term):
    prediction, target = patches(1).requires_grad_(), patches(0)
    before = term(prediction, target).sum()
    (slope,) = torch.autograd.grad(before, prediction)
    step = 1e-2 * float(before.detach()) / float(slope.square().sum())
    assert term(prediction.detach() - step * slope, target).sum() < before


def test_the_network_is_frozen_not_saved_and_moved_with_the_term(term):
    prediction = patches(1).requires_grad_()
    term(prediction, patches(0)).sum().backward()
    assert prediction.grad is not None
    assert not list(term.parameters())
    assert not term.state_dict()
    assert term.to(torch.float64)(patches(1).double(), patches(0).double()).dtype == torch.float64


def test_too_small_patches_are_refused_with_the_setting_to_raise(term):
    small = patches(side=16)
    with pytest.raises(ValueError, match=r"at least 17 pixels a side, got 16 x 16: raise batch\.h"):
        term(small, small)


def test_style_is_invariant_to_shifts_and_perceptual_is_not(squeeze_file):
    settings = {"backbone": "squeeze", "layers": ["relu1"], "weights": squeeze_file}
    # A pattern of 8 pixels, which 18 pixels at stride 2 see twice, wherever they begin.
    tile = patches(0, 1, 8).repeat(1, 3, 3, 1)
    here, moved, noise = tile[:, :18, :18], tile[:, 4:22, 2:20], patches(3, 1, 18)
    style, perceptual = Style(**settings), Perceptual(**settings)
    assert style(moved, here) < 1e-6 * style(noise, here)
    assert perceptual(moved, here) > 0.5 * perceptual(noise, here)


def test_real_features_separate_a_blur_from_a_tone_shift(test_data):
    term = Perceptual(backbone="squeeze", weights=str(test_data / "weights" / SQUEEZE))
    sharp = torch.zeros(1, 32, 32, 3)
    sharp[:, ::8] = 1
    blurred = functional.avg_pool2d(sharp.movedim(-1, 1), 5, 1, 2).movedim(1, -1)
    assert 0 < term(0.95 * sharp, sharp) < 0.5 * term(blurred, sharp)


@pytest.mark.parametrize("kind", [Perceptual, Style, Lpips])
def test_an_unknown_backbone_is_refused_with_the_known_ones(kind):
    with pytest.raises(ValueError, match=r"backbone is one of .*squeeze, got 'resnet'"):
        kind(backbone="resnet")


@pytest.mark.parametrize("layer_weights", [[1.0], [1.0, -1.0], [0.0, 0.0]])
def test_weights_that_do_not_fit_the_layers_are_refused(layer_weights, squeeze_file):
    with pytest.raises(ValueError, match="layer_weights has to hold one weight"):
        Perceptual(
            backbone="squeeze",
            layers=["relu1", "fire2"],
            layer_weights=layer_weights,
            weights=squeeze_file,
        )


def test_a_file_that_is_not_there_is_refused_as_the_term_is_made(squeeze_file):
    with pytest.raises(MissingWeights, match=r"/nowhere/vgg\.pth.*vgg19-dcbb9e9d"):
        Perceptual(backbone="vgg19", weights="/nowhere/vgg.pth")
    with pytest.raises(MissingWeights, match=r"no linear layers at /nowhere/linear\.pth"):
        Lpips(backbone="squeeze", weights=squeeze_file, linear="/nowhere/linear.pth")


def test_a_file_of_another_network_is_refused(squeeze_file, weights_folder):
    with pytest.raises(ValueError, match="weights are not this network's"):
        Perceptual(backbone="alex", weights=squeeze_file)
    with pytest.raises(MissingWeights, match="does not hold the linear layers of this backbone"):
        Lpips(
            backbone="squeeze",
            weights=squeeze_file,
            linear=str(random_linear("alex", weights_folder)),
        )


def test_terms_have_the_names_of_the_configuration():
    assert (terms.perceptual, terms.style, terms.lpips) == (Perceptual, Style, Lpips)
