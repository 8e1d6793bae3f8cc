"""ST-LPIPS: LPIPS with a network that tolerates small shifts; weights from its package."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.metrics.metadata import RATIO
from nerfloss.losses.pretrained.downloads import MissingWeights
from nerfloss.losses.pretrained.networks import Backbone
from nerfloss.losses.pretrained.weight_files import package_folder
from nerfloss.losses.pretrained.weight_reading import read_weights
from nerfloss.maths.deep_features import network_input, weighted_distance

SMALLEST = 21  # pixels a side: the third blur has to reflect two


class Blur(nn.Module):
    """Blur with a 3x3 binomial filter at half the resolution, with two reflected border pixels.

    Reference: Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019.
    """

    def forward(
        self, image: Float[Tensor, "images channels height width"]
    ) -> Float[Tensor, "images channels rows columns"]:
        line = image.new_tensor([0.25, 0.5, 0.25])
        kernel = torch.outer(line, line).expand(image.shape[1], 1, 3, 3)
        padded = functional.pad(image, (2, 2, 2, 2), mode="reflect")
        return functional.conv2d(padded, kernel, stride=2, groups=image.shape[1])


def shift_tolerant_alex() -> Backbone:
    """Return AlexNet with all strides replaced by blurs; features after each activation."""
    layers = [
        nn.Conv2d(3, 64, 11, 1, 2),
        Blur(),
        nn.ReLU(),
        nn.MaxPool2d(3, 1),
        Blur(),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 1),
        Blur(),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    ]
    return Backbone(layers, (2, 6, 10, 12, 14))


def _renamed_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename ``net.slice2.5.weight`` to ``features.5.weight``; drop the constant blur filters."""
    return {
        "features." + key.split(".", 2)[2]: value
        for key, value in weights.items()
        if key.startswith("net.slice") and not key.endswith(".filt")
    }


class ShiftTolerantLpips(nn.Module):
    """ST-LPIPS with its AlexNet; all weights come with the package ``stlpips-pytorch``.

    Only the package's file of weights is read, at the first use; its code is not imported. An
    ``optional`` metric is left out of evaluations where the package is not installed.
    """

    unit = RATIO
    better = "lower"

    def __init__(self, *, optional: bool = False) -> None:
        super().__init__()
        self.optional = optional
        self.network: Backbone | None = None
        self.linear: list[Tensor] = []

    def is_measured(self) -> bool:
        """Return False for an optional metric whose weights are not there."""
        return not self.optional or package_folder("stlpips_pytorch") is not None

    def _load(self) -> Backbone:
        package = package_folder("stlpips_pytorch")
        if package is None:
            raise MissingWeights(
                "needs the weights in the package stlpips-pytorch, which is not "
                "installed; install nerfloss[stlpips]"
            )
        file = package / "weights" / "vST0.0" / "alex_shift_tolerant.pth"
        if not file.is_file():
            raise MissingWeights(f"{file} does not exist: install nerfloss[stlpips] again")
        weights = read_weights(file)
        network = shift_tolerant_alex().eval().requires_grad_(False)
        network.load_state_dict(_renamed_weights(weights))
        self.linear = [weights[f"lin{layer}.model.1.weight"].flatten() for layer in range(5)]
        return network

    def forward(
        self, rgb: Float[Tensor, "height width 3"], target_rgb: Float[Tensor, "height width 3"]
    ) -> Float[Tensor, ""]:
        """Return the perceptual distance, 0 for equal images; colours are in [0, 1].

        Raises UndefinedMetric where the image is too small, MissingWeights where the package is
        missing.

        Reference: Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022.
        """
        if min(rgb.shape[:2]) < SMALLEST:
            raise UndefinedMetric(f"stlpips needs images of at least {SMALLEST} pixels a side")
        if self.network is None:
            self.network = self._load()
        network = self.network.to(rgb.device)
        return weighted_distance(
            network(network_input(rgb[None])),
            network(network_input(target_rgb[None])),
            [weight.to(rgb.device) for weight in self.linear],
        )[0]
