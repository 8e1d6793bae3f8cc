"""Published networks with their weights, frozen: for perceptual losses and for LPIPS."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.losses.pretrained.networks import NETWORKS, Backbone, frozen
from nerfloss.losses.pretrained.weight_files import (
    LPIPS_NETWORKS,
    lpips_file,
    network_file,
)
from nerfloss.losses.pretrained.weight_reading import lpips_layers, read_weights
from nerfloss.maths.deep_features import network_input, weighted_distance


def pretrained(backbone: str, layers: Sequence[str] | None, weights: str | None) -> Backbone:
    """Return a frozen network that outputs the named layers, or those that LPIPS compares.

    ``weights`` is a file; None takes the first that `network_source` finds, or downloads
    torchvision's once. Raises ValueError for an unknown network or layer, MissingWeights where
    there is no file.
    """
    if backbone not in NETWORKS:
        raise ValueError(f"backbone is one of {', '.join(NETWORKS)}, got '{backbone}'")
    network = NETWORKS[backbone]()
    if layers is not None:
        network = network.tapped_at(layers)
    network.load(read_weights(network_file(backbone, file=weights)))
    return frozen(network)


class LpipsDistance(nn.Module):
    """LPIPS 0.1 of pairs of images, ``sum_l <sum_c w_lc (x_lc - y_lc)^2>``.

    ``backbone`` is alex, vgg or squeeze. ``weights`` and ``linear`` are the files of the network
    and of the linear layers; None takes the published ones that are found in ``folder`` or
    elsewhere (`weight_files`), or downloads them once, if ``may_download``. All weights are frozen
    and not saved. Raises ValueError for
    an unknown backbone, MissingWeights where there is no file.

    Reference: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual
    Metric", CVPR 2018, equation 1.
    """

    def __init__(
        self,
        backbone: str,
        *,
        weights: str | None = None,
        linear: str | None = None,
        folder: str | None = None,
        may_download: bool = True,
    ) -> None:
        super().__init__()
        if backbone not in LPIPS_NETWORKS:
            raise ValueError(f"backbone is one of {', '.join(LPIPS_NETWORKS)}, got '{backbone}'")
        # Both files come first: constructing VGG takes a second.
        network = network_file(
            LPIPS_NETWORKS[backbone], file=weights, folder=folder, may_download=may_download
        )
        path = lpips_file(backbone, file=linear, folder=folder, may_download=may_download)
        self.network = pretrained(LPIPS_NETWORKS[backbone], None, str(network))
        layers = lpips_layers(path, self.network.channels)
        self._names = [f"linear_{index}" for index in range(len(layers))]
        for name, layer in zip(self._names, layers, strict=True):
            self.register_buffer(name, layer, persistent=False)

    def forward(
        self,
        images: Float[Tensor, "images height width 3"],
        others: Float[Tensor, "images height width 3"],
    ) -> Float[Tensor, "images"]:
        """Return the distance of each pair; colours in [0, 1]."""
        return weighted_distance(
            self.network(network_input(images)),
            self.network(network_input(others)),
            [self.get_buffer(name) for name in self._names],
        )
