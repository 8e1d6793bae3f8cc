"""Weighted sum over the layers of a pretrained network of a distance between features."""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.losses.pretrained.loading import pretrained
from nerfloss.losses.pretrained.networks import Backbone
from nerfloss.maths.deep_features import network_input


class LayerSum(nn.Module):
    """Weighted sum over the layers of a frozen network of some distance between features.

    ``backbone`` is vgg16, vgg19, alex or squeeze; ``layers`` are names such as relu2_2 (VGG), relu2
    (AlexNet) or fire3 (SqueezeNet), null for the end of each block; ``layer_weights`` are one per
    layer, null for 1; ``weights`` is the file of the network's state dict, null for torchvision's.
    """

    def __init__(
        self,
        backbone: str,
        layers: Sequence[str] | None,
        layer_weights: Sequence[float] | None,
        weights: str | None,
    ) -> None:
        super().__init__()
        self.network = pretrained(backbone, layers, weights)
        self.layer_weights = _checked(layer_weights, len(self.network.taps))

    def forward(
        self,
        patches: Float[Tensor, "patches height width 3"],
        others: Float[Tensor, "patches height width 3"],
        distance: Callable[[Tensor, Tensor], Float[Tensor, "patches"]],
    ) -> Float[Tensor, "patches"]:
        """Return the sum for each pair of patches."""
        check_patch_size(self.network, patches)
        pairs = zip(
            self.network(network_input(patches)), self.network(network_input(others)), strict=True
        )
        total = patches.new_zeros(len(patches))
        for weight, (x, y) in zip(self.layer_weights, pairs, strict=True):
            total = total + weight * distance(x, y)
        return total


def _checked(layer_weights: Sequence[float] | None, layers: int) -> tuple[float, ...]:
    if layer_weights is None:
        return (1.0,) * layers
    if len(layer_weights) != layers or min(layer_weights) < 0 or max(layer_weights) == 0:
        raise ValueError(
            f"layer_weights has to hold one weight, 0 or more and not all 0, for each of the "
            f"{layers} layers, got {list(layer_weights)}"
        )
    return tuple(map(float, layer_weights))


def check_patch_size(network: Backbone, patches: Float[Tensor, "patches height width 3"]) -> None:
    """Raise ValueError where the patches are too small for the deepest layer."""
    height, width = patches.shape[1:3]
    if min(height, width) < network.smallest:
        raise ValueError(
            f"these layers need patches of at least {network.smallest} pixels a side, got "
            f"{height} x {width}: raise batch.height and batch.width, or take shallower layers"
        )
