"""LPIPS (alex) with the published weights equals the package ``lpips`` on six pairs of images."""

import importlib.util
import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.metrics.lpips import Lpips, lpips_alex
from nerfloss.losses.perceptual import Lpips as Term
from nerfloss.losses.perceptual import Perceptual
from nerfloss.losses.pretrained import weight_files

# Values that lpips 0.1.4 (net="alex", normalize=True) returns for `pair(0)` to `pair(5)`.
PUBLISHED = [0.2600406, 0.5715682, 0.7471218, 0.861734, 0.9277092, 0.9599427]


def pair(number):
    """Two images of 64 x 80 pixels: a pattern, and the same under noise without a generator."""
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(80.0), indexing="ij")
    waves = [
        0.5 + 0.5 * torch.sin(rows / (3 + number) + c) * torch.cos(columns / (5 + c))
        for c in range(3)
    ]
    image = torch.stack(waves, -1).double()
    places = torch.arange(image.numel()).reshape(image.shape).double()
    noise = torch.frac(torch.sin(places * 12.9898) * 43758.5453) - 0.5
    return image.float(), (image + 0.1 * (number + 1) * noise).clamp(0, 1).float()


@pytest.fixture
def folder(test_data, monkeypatch):
    monkeypatch.setattr(weight_files, "cache_folder", lambda: test_data / "none")
    monkeypatch.setattr(weight_files, "package_folder", lambda _: None)
    monkeypatch.delenv("NERFLOSS_WEIGHTS", raising=False)
    return str(test_data / "weights")


@pytest.mark.parametrize("number", range(6))
def test_the_metric_equals_the_package(folder, number):
    image, other = pair(number)
    expected = pytest.approx(PUBLISHED[number], abs=1e-5)
    assert float(lpips_alex(image, other, folder=folder)) == expected
    assert float(lpips_alex(image, image, folder=folder)) == 0


@pytest.mark.parametrize("number", range(6))
def test_the_metric_equals_the_definition_in_float64(folder, number):
    images = pair(number)
    network = Lpips(backbone="alex", folder=folder)
    network(*images)
    assert network.distance is not None
    weights = torch.load(weight_files.network_file("alex", folder=folder), weights_only=True)
    linear = torch.load(weight_files.lpips_file("alex", folder=folder), weights_only=True)
    mean, deviation = (torch.tensor(x).double() for x in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    features = [
        layers_of(((2 * x.double() - 1 - mean) / deviation).movedim(-1, 0)[None], weights)
        for x in images
    ]
    total = 0.0
    for index, (x, y) in enumerate(zip(*features, strict=True)):
        x, y = (
            each / each.square().sum(1, keepdim=True).sqrt().clamp_min(1e-10) for each in (x, y)
        )
        w = linear[f"lin{index}.model.1.weight"].double()
        total += float((w * (x - y) ** 2).sum(1).mean())
    assert float(network(*images)) == pytest.approx(total, abs=1e-5)
    assert total == pytest.approx(PUBLISHED[number], abs=1e-5)


IMAGENET_MEAN, IMAGENET_DEVIATION = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


def layers_of(x, weights):
    """AlexNet's five activations, layer by layer."""
    found = []
    for at, (stride, padding) in {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}.items():
        w, b = (weights[f"features.{at}.{name}"].double() for name in ("weight", "bias"))
        x = nn.functional.conv2d(x, w, b, stride, padding).relu()
        found.append(x)
        if at in (0, 3):
            x = nn.functional.max_pool2d(x, 3, 2)
    return found


@pytest.mark.skipif(importlib.util.find_spec("lpips") is None, reason="lpips is not installed")
@pytest.mark.filterwarnings("ignore")
def test_the_metric_equals_the_installed_package(folder, monkeypatch):
    weights = torch.load(weight_files.network_file("alex", folder=folder), weights_only=True)

    class Network(nn.Module):
        def __init__(self, **_):
            super().__init__()
            conv, pool = nn.Conv2d, nn.MaxPool2d
            layers = [conv(3, 64, 11, 4, 2), nn.ReLU(), pool(3, 2), conv(64, 192, 5, 1, 2)]
            layers += [nn.ReLU(), pool(3, 2), conv(192, 384, 3, 1, 1), nn.ReLU()]
            layers += [conv(384, 256, 3, 1, 1), nn.ReLU(), conv(256, 256, 3, 1, 1), nn.ReLU()]
            self.features = nn.Sequential(*layers, pool(3, 2))
            self.load_state_dict(weights)

    # Of torchvision it uses the network's architecture alone.
    vision, models = ModuleType("torchvision"), ModuleType("torchvision.models")
    models.alexnet, vision.models = Network, models
    monkeypatch.setitem(sys.modules, "torchvision", vision)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    import lpips

    theirs = lpips.LPIPS(net="alex", verbose=False)
    for number, expected in enumerate(PUBLISHED):
        image, other = pair(number)
        a, b = (x.movedim(-1, 0)[None] for x in (image, other))
        assert float(theirs(a, b, normalize=True)) == pytest.approx(expected, abs=1e-5)
        assert float(lpips_alex(image, other, folder=folder)) == pytest.approx(expected, abs=1e-5)


def test_the_terms_work_from_the_same_weights(folder, monkeypatch):
    monkeypatch.setenv("NERFLOSS_WEIGHTS", folder)
    images = [torch.stack([pair(n)[side] for n in range(2)]) for side in (0, 1)]
    assert Term(backbone="alex")(*images).tolist() == pytest.approx(PUBLISHED[:2], abs=1e-5)
    values = Perceptual(backbone="alex")(*images)
    assert (values > 0).all()
    assert values[1] > values[0]


def test_an_optional_metric_is_measured_where_its_weights_are(folder, monkeypatch):
    metrics = {
        "alex": Lpips(backbone="alex"),
        "vgg": Lpips(backbone="vgg", optional=True),
        "again": Lpips(backbone="alex", optional=True),
    }
    assert list(Evaluator(metrics=metrics).metrics) == ["alex"]
    monkeypatch.setenv("NERFLOSS_WEIGHTS", folder)
    assert list(Evaluator(metrics=metrics).metrics) == ["alex", "again"]
