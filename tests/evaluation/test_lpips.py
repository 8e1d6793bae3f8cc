"""LPIPS: torchvision's keys load, the distance follows the paper, and missing weights are named."""

from dataclasses import replace

import pytest
import torch

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.metrics import stlpips
from nerfloss.evaluation.metrics.lpips import SMALLEST, Lpips
from nerfloss.evaluation.metrics.stlpips import ShiftTolerantLpips, shift_tolerant_alex
from nerfloss.losses.pretrained import weight_files as weights
from nerfloss.losses.pretrained import weight_reading
from nerfloss.losses.pretrained.downloads import MissingWeights
from nerfloss.losses.pretrained.networks import alex, squeeze
from nerfloss.losses.pretrained.weight_files import PUBLISHED, lpips_file, package_folder
from nerfloss.losses.pretrained.weight_reading import read_weights
from nerfloss.maths.deep_features import network_input, weighted_distance


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No weights in torch's cache and no package that carries any."""
    monkeypatch.setattr(weights, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(weights, "package_folder", lambda _: None)
    monkeypatch.setattr(stlpips, "package_folder", lambda _: None)
    return tmp_path


def image(size=64, seed=0):
    return torch.rand(size, size, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", SMALLEST)
def test_an_image_below_the_smallest_size_is_refused(name):
    small = image(SMALLEST[name] - 1)
    with pytest.raises(UndefinedMetric, match=f"at least {SMALLEST[name]} pixels"):
        Lpips(backbone=name)(small, small)


def test_real_weights_in_torchvisions_keys_load_and_see_what_differs(test_data):
    file = test_data / "weights" / "squeezenet1_1_caffe_features_tvlayout.pth"
    found = read_weights(file)
    network = squeeze()
    network.load(found)
    assert set(network.state_dict()) == set(found)
    # Not LPIPS's network, so no figure: only that real features tell a blur from a shift of tone.
    sharp = torch.zeros(64, 64, 3)
    sharp[::8] = 1
    blurred = torch.nn.functional.avg_pool2d(sharp.permute(2, 0, 1), 5, 1, 2).permute(1, 2, 0)
    even = [torch.full((c,), 1 / c) for c in network.channels]
    near, far = (
        weighted_distance(
            network(network_input(x[None])), network(network_input(sharp[None])), even
        )
        for x in (0.95 * sharp, blurred)
    )
    assert 0 < near < 0.5 * far


def test_the_distance_equals_a_loop_over_pixels():
    generator = torch.Generator().manual_seed(0)
    ours = [
        torch.rand(1, 3, 2, 2, generator=generator),
        torch.rand(1, 2, 1, 1, generator=generator),
    ]
    theirs = [torch.rand(x.shape, generator=generator) for x in ours]
    weights = [torch.tensor([0.5, 1.0, 2.0]), torch.tensor([1.0, 3.0])]
    total = 0.0
    for x, y, w in zip(ours, theirs, weights, strict=True):
        pixels = []
        for row in range(x.shape[2]):
            for column in range(x.shape[3]):
                a, b = x[0, :, row, column], y[0, :, row, column]
                pixels.append((w * (a / a.norm() - b / b.norm()) ** 2).sum().item())
        total += sum(pixels) / len(pixels)
    assert weighted_distance(ours, theirs, weights).item() == pytest.approx(total, rel=1e-5)


def test_dead_pixels_count_nothing():
    dead = [torch.zeros(1, 3, 2, 2)]
    assert weighted_distance(dead, dead, [torch.ones(3)]) == 0


def test_colours_reach_the_network_as_imagenet_normalises_them():
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    given = image(4)
    expected = ((given - mean) / deviation).permute(2, 0, 1)[None]
    torch.testing.assert_close(network_input(given[None]), expected, atol=2e-3, rtol=1e-3)


def test_weights_from_a_folder_make_a_distance(nowhere, monkeypatch):
    network = squeeze()
    monkeypatch.setitem(PUBLISHED, "squeeze", replace(PUBLISHED["squeeze"], name="network.pth"))
    monkeypatch.setattr(weight_reading, "VALUE_DIGESTS", {})
    torch.save(network.state_dict(), nowhere / "network.pth")
    linear = {
        f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate(network.channels)
    }
    torch.save(linear, nowhere / "lpips_squeeze.pth")
    metric = Lpips(backbone="squeeze", folder=str(nowhere))
    assert metric(image(), image()) == 0
    assert metric(image(), image(seed=1)) > 0


@pytest.mark.usefixtures("nowhere")
def test_missing_weights_are_named():
    with pytest.raises(MissingWeights, match=r"weights alexnet-owt-7be5be79\.pth are missing"):
        Lpips(backbone="alex", folder="/my/weights")(image(), image())


@pytest.mark.usefixtures("nowhere")
def test_missing_linear_layers_are_named():
    with pytest.raises(MissingWeights, match=r"linear layers lpips_vgg\.pth are missing"):
        lpips_file("vgg")


def test_a_file_that_is_not_the_published_one_is_refused(nowhere):
    torch.save(squeeze().state_dict(), nowhere / PUBLISHED["squeeze"].name)
    with pytest.raises(MissingWeights, match="is not the published file"):
        read_weights(nowhere / PUBLISHED["squeeze"].name)


def test_an_unknown_backbone_is_named():
    with pytest.raises(ValueError, match="alex, vgg, squeeze, got 'resnet'"):
        Lpips(backbone="resnet")


@pytest.mark.usefixtures("nowhere")
def test_stlpips_without_its_package_names_the_extra():
    with pytest.raises(MissingWeights, match=r"nerfloss\[stlpips\]"):
        ShiftTolerantLpips()(image(), image())


def test_the_shift_tolerant_network_hardly_notices_a_shift():
    torch.manual_seed(0)
    network = shift_tolerant_alex()
    plain = alex()
    plain.load_state_dict(dict(zip(plain.state_dict(), network.state_dict().values(), strict=True)))
    large = image(65)
    pairs = [network_input(part[None]) for part in (large[:64, :64], large[1:, 1:])]
    even = [torch.full((c,), 1 / c) for c in network.channels]
    with torch.no_grad():
        tolerant = weighted_distance(network(pairs[0]), network(pairs[1]), even)
        usual = weighted_distance(plain(pairs[0]), plain(pairs[1]), even)
    assert tolerant < usual


@pytest.mark.skipif(package_folder("stlpips_pytorch") is None, reason="stlpips is not installed")
def test_stlpips_of_equal_images_is_zero_and_of_others_is_not():
    metric = ShiftTolerantLpips()
    assert metric(image(), image()) == 0
    assert metric(image(), image(seed=1)) > 0.01
