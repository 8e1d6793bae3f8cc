"""A network as it was published: its weights read from a file, and frozen."""

from collections.abc import Sequence

from nerfloss.losses.pretrained.networks import NETWORKS, Backbone, frozen
from nerfloss.losses.pretrained.weight_files import network_file, read_weights


def pretrained(backbone: str, layers: Sequence[str] | None, weights: str | None) -> Backbone:
    """Return a frozen network, tapped at the named layers or where LPIPS taps it.

    ``weights`` is a file; None is torchvision's in torch's hub cache. Raises ValueError for an
    unknown network or layer, MissingWeights where there is no file.
    """
    if backbone not in NETWORKS:
        raise ValueError(f"backbone is one of {', '.join(NETWORKS)}, got '{backbone}'")
    network = NETWORKS[backbone]()
    if layers is not None:
        network = network.tapped_at(layers)
    network.load(read_weights(network_file(backbone, file=weights)))
    return frozen(network)
