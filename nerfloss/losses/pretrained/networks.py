"""Convolutional feature extractors with the layers and names of torchvision's networks.

A backbone returns the activations of its *taps*, the layers that a distance compares.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Fire(nn.Module):
    """SqueezeNet's block: a 1x1 layer with few channels, then 1x1 and 3x3 layers in parallel.

    Reference: Iandola et al., "SqueezeNet", arXiv:1602.07360.
    """

    def __init__(self, channels: int, narrow: int, wide: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, narrow, 1)
        self.expand1x1 = nn.Conv2d(narrow, wide, 1)
        self.expand3x3 = nn.Conv2d(narrow, wide, 3, padding=1)
        self.out_channels = 2 * wide

    def forward(
        self, image: Float[Tensor, "images in height width"]
    ) -> Float[Tensor, "images out height width"]:
        squeezed = self.squeeze(image).relu()
        return torch.cat([self.expand1x1(squeezed), self.expand3x3(squeezed)], 1).relu()


class Backbone(nn.Module):
    """Sequence of layers that returns the activations at its taps; ``names`` are layers to tap."""

    def __init__(
        self,
        layers: Iterable[nn.Module],
        taps: Sequence[int],
        names: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(*layers)
        self.taps = tuple(taps)
        self.names = dict(names or {})

    @property
    def channels(self) -> tuple[int, ...]:
        """Return the number of channels of each tap."""
        width, widths = 0, {}
        for index, layer in enumerate(self.features):
            width = getattr(layer, "out_channels", width)
            widths[index] = width
        return tuple(widths[tap] for tap in self.taps)

    @property
    def smallest(self) -> int:
        """Return the smallest image side for which the deepest tap has at least one pixel."""
        side = 1
        for layer in reversed(list(self.features)[: max(self.taps) + 1]):
            if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
                size, stride, padding = map(_side, (layer.kernel_size, layer.stride, layer.padding))
                # With ceil_mode the last window may begin up to a stride before the border.
                spare = stride - 1 if getattr(layer, "ceil_mode", False) else 0
                side = (side - 1) * stride + size - 2 * padding - spare
        return side

    def tapped_at(self, names: Sequence[str]) -> "Backbone":
        """Return the same layers with other taps, without the layers behind the deepest.

        Raises ValueError for unknown names, and for names that are not ordered from shallow to
        deep.
        """
        unknown = [name for name in names if name not in self.names]
        if unknown or not names:
            raise ValueError(
                f"layers has to name some of {', '.join(self.names)}, got {list(names)}"
            )
        taps = [self.names[name] for name in names]
        if taps != sorted(set(taps)):
            raise ValueError(f"layers go from shallow to deep, each once, got {list(names)}")
        return Backbone(list(self.features)[: taps[-1] + 1], taps, self.names)

    def forward(self, image: Float[Tensor, "images 3 height width"]) -> list[Tensor]:
        """Return the activations at the taps, from shallow to deep, channels first."""
        activations = []
        for index, layer in enumerate(self.features):
            image = layer(image)
            if index in self.taps:
                activations.append(image)
        return activations

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Load a state dict with torchvision's keys; layers behind the last tap are ignored.

        Raises ValueError for the weights of another network.
        """
        own = self.state_dict()
        wrong = [key for key in own if key not in weights or weights[key].shape != own[key].shape]
        if wrong:
            raise ValueError(
                f"these weights are not this network's: {wrong[0]} is missing or of another shape; "
                f"backbone and weights have to name the same network"
            )
        self.load_state_dict({key: weights[key] for key in own})


def frozen(network: Backbone) -> Backbone:
    """Return the network with its parameters turned into buffers, which are not trained or saved.

    They still move with the module that holds the network.
    """
    for module in network.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach(), persistent=False)
    return network.eval()


def _side(value: Any) -> int:
    return value[0] if isinstance(value, tuple) else value


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
    taps = (1, 4, 7, 9, 11)
    return Backbone(layers, taps, {f"relu{i + 1}": tap for i, tap in enumerate(taps)})


def _vgg(repeats: Sequence[int]) -> Backbone:
    """Five blocks of 3x3 layers, up to the last activation; tapped at the end of each block.

    For VGG19 too these are relu1_2 to relu5_4. Reference: Simonyan and Zisserman, "Very Deep
    Convolutional Networks for Large-Scale Image Recognition", ICLR 2015.
    """
    layers: list[nn.Module] = []
    names: dict[str, int] = {}
    taps = []
    channels = 3
    for block, (out, count) in enumerate(zip((64, 128, 256, 512, 512), repeats, strict=True)):
        if layers:
            layers.append(nn.MaxPool2d(2, 2))
        for i in range(count):
            layers += _convolution(channels, out, 3)
            names[f"relu{block + 1}_{i + 1}"] = len(layers) - 1
            channels = out
        taps.append(len(layers) - 1)
    return Backbone(layers, taps, names)


def vgg16() -> Backbone:
    """VGG16 up to relu5_3."""
    return _vgg((2, 2, 3, 3, 3))


def vgg19() -> Backbone:
    """VGG19 up to relu5_4."""
    return _vgg((2, 2, 4, 4, 4))


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
    fires = [index for index, layer in enumerate(layers) if isinstance(layer, Fire)]
    names = {"relu1": 1} | {f"fire{i + 2}": index for i, index in enumerate(fires)}
    return Backbone(layers, (1, 4, 7, 9, 10, 11, 12), names)


NETWORKS: Mapping[str, Callable[[], Backbone]] = {
    "alex": alex,
    "vgg16": vgg16,
    "vgg19": vgg19,
    "squeeze": squeeze,
}
