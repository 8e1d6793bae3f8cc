"""LPIPS: distance of two images in the features of a network, weighted as people judged it."""

from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.losses.pretrained.networks import NETWORKS, Backbone
from nerfloss.losses.pretrained.weight_files import (
    LPIPS_NETWORKS,
    lpips_file,
    lpips_layers,
    network_file,
    read_weights,
)
from nerfloss.maths.deep_features import network_input, weighted_distance

SMALLEST = {"alex": 31, "vgg": 16, "squeeze": 17}  # below this a deep layer has no pixel left


class Lpips(nn.Module):
    """LPIPS (version 0.1) by its backbone: ``alex``, ``vgg`` or ``squeeze``.

    The weights are read at the first use. The network's are torchvision's, sought in ``folder`` and
    in torch's hub cache; the linear layers' are sought in ``folder`` as ``lpips_<backbone>.pth``
    and in an installed ``lpips`` package.
    """

    def __init__(self, *, backbone: str = "alex", folder: str | None = None) -> None:
        super().__init__()
        if backbone not in LPIPS_NETWORKS:
            raise ValueError(f"lpips has backbones {', '.join(LPIPS_NETWORKS)}, got '{backbone}'")
        self.backbone = backbone
        self.folder = folder
        self.network: Backbone | None = None
        self.linear: list[Tensor] = []

    def network_file(self) -> Path:
        """The backbone's weights. Raises MissingWeights where they are in none of the places."""
        return network_file(LPIPS_NETWORKS[self.backbone], folder=self.folder)

    def linear_file(self) -> Path:
        """The learned linear layers. Raises MissingWeights where they are in none of the places."""
        return lpips_file(self.backbone, folder=self.folder)

    def _load(self) -> Backbone:
        # Found before the network is made: to make VGG takes a second.
        weights, linear = read_weights(self.network_file()), self.linear_file()
        network = NETWORKS[LPIPS_NETWORKS[self.backbone]]().eval().requires_grad_(False)
        network.load(weights)
        self.linear = lpips_layers(linear, network.channels)
        return network

    def forward(
        self, rgb: Float[Tensor, "height width 3"], target_rgb: Float[Tensor, "height width 3"]
    ) -> Float[Tensor, ""]:
        """Perceptual distance, 0 for equal images; colours in [0, 1].

        Raises UndefinedMetric where the image is too small, MissingWeights where weights are
        missing.
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
            network(network_input(rgb[None])),
            network(network_input(target_rgb[None])),
            [weight.to(rgb.device) for weight in self.linear],
        )[0]
