"""LPIPS: distance of two images in the features of a network, weighted as people judged it."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.evaluation.backbones import BACKBONES, Backbone
from nerfloss.evaluation.pretrained import (
    first_existing,
    hub_folder,
    package_folder,
    read_weights,
)
from nerfloss.evaluation.undefined import UndefinedMetric

# ImageNet's mean and deviation, as the published code writes them for colours in [-1, 1].
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)

FILES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}
SMALLEST = {"alex": 31, "vgg": 16, "squeeze": 17}  # below this a deep layer has no pixel left


def network_input(image: Float[Tensor, "height width 3"]) -> Float[Tensor, "1 3 height width"]:
    """Colours in [0, 1], taken to [-1, 1] and from there to the networks' own scale."""
    shift, scale = image.new_tensor(SHIFT), image.new_tensor(SCALE)
    return ((2 * image - 1 - shift) / scale).permute(2, 0, 1)[None]


def weighted_distance(
    ours: Sequence[Tensor], theirs: Sequence[Tensor], weights: Sequence[Float[Tensor, "_"]]
) -> Float[Tensor, ""]:
    """Sum over layers of the mean over pixels of ``sum_c w_c (x_c - y_c)^2``, features unit-length.

    The length is floored at 1e-10 as in the published code: a dead pixel stays 0.

    Reference: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual
    Metric", CVPR 2018, eq. 1.
    """
    total = ours[0].new_zeros(())
    for x, y, weight in zip(ours, theirs, weights, strict=True):
        x = x / (x.norm(dim=1, keepdim=True) + 1e-10)
        y = y / (y.norm(dim=1, keepdim=True) + 1e-10)
        total = total + torch.einsum("nchw,c->nhw", (x - y).square(), weight).mean()
    return total


class Lpips(nn.Module):
    """LPIPS (version 0.1) by its backbone: ``alex``, ``vgg`` or ``squeeze``.

    The weights are read at the first use. The network's are torchvision's, sought in ``folder`` and
    in torch's hub cache; the linear layers' are sought in ``folder`` as ``lpips_<backbone>.pth``
    and in an installed ``lpips`` package.
    """

    def __init__(self, *, backbone: str = "alex", folder: str | None = None) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise ValueError(f"lpips has backbones {', '.join(BACKBONES)}, got '{backbone}'")
        self.backbone = backbone
        self.folder = folder
        self.network: Backbone | None = None
        self.linear: list[Tensor] = []

    def _folders(self) -> list[Path]:
        return [Path(self.folder).expanduser()] if self.folder else []

    def network_file(self) -> Path:
        """The backbone's weights.

        Raises UndefinedMetric where they are in none of the places.
        """
        name = FILES[self.backbone]
        return first_existing(
            [folder / name for folder in [*self._folders(), hub_folder()]],
            "the network's weights were",
            f"put torchvision's {name} into one of these folders",
        )

    def linear_file(self) -> Path:
        """The learned linear layers.

        Raises UndefinedMetric where they are in none of the places.
        """
        name = f"lpips_{self.backbone}.pth"
        candidates = [folder / name for folder in [*self._folders(), hub_folder()]]
        package = package_folder("lpips")
        if package is not None:
            candidates.append(package / "weights" / "v0.1" / f"{self.backbone}.pth")
        return first_existing(
            candidates,
            "the linear layers were",
            f"install the package lpips, or put its v0.1/{self.backbone}.pth there as {name}",
        )

    def _load(self) -> Backbone:
        # Found before the network is made: to make VGG takes a second.
        weights, linear = read_weights(self.network_file()), read_weights(self.linear_file())
        network = BACKBONES[self.backbone]().eval().requires_grad_(False)
        network.load(weights)
        self.linear = [
            linear[f"lin{layer}.model.1.weight"].flatten() for layer in range(len(network.taps))
        ]
        return network

    def forward(
        self, rgb: Float[Tensor, "height width 3"], target_rgb: Float[Tensor, "height width 3"]
    ) -> Float[Tensor, ""]:
        """Perceptual distance, 0 for equal images; colours in [0, 1].

        Raises UndefinedMetric where weights are missing or the image is too small.
        """
        if min(rgb.shape[:2]) < SMALLEST[self.backbone]:
            raise UndefinedMetric(
                f"lpips_{self.backbone} needs images of at least {SMALLEST[self.backbone]} pixels "
                f"a side, got {rgb.shape[0]} x {rgb.shape[1]}"
            )
        if self.network is None:
            self.network = self._load()
        network = self.network.to(rgb.device)
        return weighted_distance(
            network(network_input(rgb)),
            network(network_input(target_rgb)),
            [weight.to(rgb.device) for weight in self.linear],
        )
