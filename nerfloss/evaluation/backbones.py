"""The convolutional networks behind LPIPS: layers and names as torchvision's, so its weights load.

A backbone gives the activations at its *taps*, the layers that LPIPS compares.
"""

from collections import OrderedDict
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Fire(nn.Module):
    """SqueezeNet's block: a narrow 1x1 layer, then 1x1 and 3x3 layers side by side.

    Reference: Iandola et al., "SqueezeNet", arXiv:1602.07360.
    """

    def __init__(self, channels: int, narrow: int, wide: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, narrow, 1)
        self.expand1x1 = nn.Conv2d(narrow, wide, 1)
        self.expand3x3 = nn.Conv2d(narrow, wide, 3, padding=1)

    def forward(
        self, image: Float[Tensor, "images in height width"]
    ) -> Float[Tensor, "images out height width"]:
        squeezed = self.squeeze(image).relu()
        return torch.cat([self.expand1x1(squeezed), self.expand3x3(squeezed)], 1).relu()


class Backbone(nn.Module):
    """A stack of layers that hands out what passes its taps."""

    def __init__(
        self, layers: Iterable[nn.Module], taps: tuple[int, ...], channels: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(*layers)
        self.taps = taps
        self.channels = channels

    def forward(self, image: Float[Tensor, "images 3 height width"]) -> list[Tensor]:
        """Activations at the taps, shallow to deep; each ``images channels height width``."""
        found = []
        for index, layer in enumerate(self.features):
            image = layer(image)
            if index in self.taps:
                found.append(image)
        return found

    def load(self, weights: dict[str, Tensor]) -> None:
        """Load a state dict in torchvision's keys; layers beyond the last tap are left out."""
        own = self.state_dict()
        self.load_state_dict(
            OrderedDict((key, value) for key, value in weights.items() if key in own)
        )


def _convolution(channels: int, out: int, size: int, stride: int = 1) -> list[nn.Module]:
    padding = 2 if size == 11 else size // 2
    return [nn.Conv2d(channels, out, size, stride, padding), nn.ReLU()]


def alex() -> Backbone:
    """AlexNet up to its fifth activation (Krizhevsky, "One weird trick", arXiv:1404.5997)."""
    layers = [
        *_convolution(3, 64, 11, 4),
        nn.MaxPool2d(3, 2),
        *_convolution(64, 192, 5),
        nn.MaxPool2d(3, 2),
        *_convolution(192, 384, 3),
        *_convolution(384, 256, 3),
        *_convolution(256, 256, 3),
    ]
    return Backbone(layers, (1, 4, 7, 9, 11), (64, 192, 384, 256, 256))


def vgg() -> Backbone:
    """VGG16 up to relu5_3 (Simonyan and Zisserman, ICLR 2015)."""
    layers: list[nn.Module] = []
    channels = 3
    for out, repeats in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        if layers:
            layers.append(nn.MaxPool2d(2, 2))
        for _ in range(repeats):
            layers += _convolution(channels, out, 3)
            channels = out
    return Backbone(layers, (3, 8, 15, 22, 29), (64, 128, 256, 512, 512))


def squeeze() -> Backbone:
    """SqueezeNet 1.1 up to its last fire module."""
    layers = [
        nn.Conv2d(3, 64, 3, 2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
    ]
    return Backbone(layers, (1, 4, 7, 9, 10, 11, 12), (64, 128, 256, 384, 384, 512, 512))


BACKBONES = {"alex": alex, "vgg": vgg, "squeeze": squeeze}
