"""Patches compared by what a network sees in them, rather than pixel by pixel."""

from collections.abc import Iterator, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.losses.adversarial import Adversarial
from nerfloss.losses.pretrained.loading import LpipsDistance, pretrained
from nerfloss.losses.pretrained.networks import Backbone
from nerfloss.losses.requirements import Requirements, Size
from nerfloss.maths.deep_features import gram_matrix, network_input


class Perceptual(nn.Module):
    """Mean squared difference of a trained network's features: ``sum_l w_l <(F_l(a) - F_l(b))^2>``.

    One value per patch; colours in [0, 1]. ``backbone`` is one of vgg16, vgg19, alex and squeeze;
    ``layers`` are names such as relu2_2 (VGG), relu2 (AlexNet) or fire3 (SqueezeNet), null for the
    end of each block; ``layer_weights`` are one for each layer, null for 1. The network is frozen
    and in no checkpoint; ``weights`` is the file of its state dict, null for torchvision's in
    torch's hub cache. Raises ValueError for settings that do not fit, MissingWeights for a file
    that is not there, both as the recipe is built.

    Reference: Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and
    Super-Resolution", ECCV 2016, equation 2.
    """

    def __init__(
        self,
        *,
        backbone: str = "vgg16",
        layers: Sequence[str] | None = None,
        layer_weights: Sequence[float] | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        self.network = pretrained(backbone, layers, weights)
        self.layer_weights = _checked(layer_weights, len(self.network.taps))
        self.requirements = Requirements(smallest_patch=Size.of(self.network.smallest))

    def forward(
        self,
        patch_rgb: Float[Tensor, "patches height width 3"],
        patch_target_rgb: Float[Tensor, "patches height width 3"],
    ) -> Float[Tensor, "patches"]:
        """Return the distance of each patch; 0 where they are equal."""
        total = patch_rgb.new_zeros(len(patch_rgb))
        pairs = _features(self.network, patch_rgb, patch_target_rgb)
        for weight, (x, y) in zip(self.layer_weights, pairs, strict=True):
            total = total + weight * (x - y).square().mean((1, 2, 3))
        return total


class Style(nn.Module):
    """Squared Frobenius distance of Gram matrices: ``sum_l w_l |G_l(a) - G_l(b)|^2``.

    ``G = F F^T / (C H W)`` over the C channels of a layer: which responses occur together, wherever
    in the patch, so that moving the contents costs nothing. One value per patch; settings and
    errors as in ``Perceptual``.

    Reference: Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and
    Super-Resolution", ECCV 2016, equations 3 and 4.
    """

    def __init__(
        self,
        *,
        backbone: str = "vgg16",
        layers: Sequence[str] | None = None,
        layer_weights: Sequence[float] | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        self.network = pretrained(backbone, layers, weights)
        self.layer_weights = _checked(layer_weights, len(self.network.taps))
        self.requirements = Requirements(smallest_patch=Size.of(self.network.smallest))

    def forward(
        self,
        patch_rgb: Float[Tensor, "patches height width 3"],
        patch_target_rgb: Float[Tensor, "patches height width 3"],
    ) -> Float[Tensor, "patches"]:
        """Return the distance of each patch; 0 where they are equal."""
        total = patch_rgb.new_zeros(len(patch_rgb))
        pairs = _features(self.network, patch_rgb, patch_target_rgb)
        for weight, (x, y) in zip(self.layer_weights, pairs, strict=True):
            distance = (gram_matrix(x) - gram_matrix(y)).square().sum((1, 2))
            total = total + weight * distance
        return total


class Lpips(nn.Module):
    """LPIPS 0.1 of each patch: unit-length features, each channel weighted as people judged.

    ``sum_l <sum_c w_lc (x_lc - y_lc)^2>``, the same as the metric of this name; colours in [0, 1],
    converted inside. ``backbone`` is vgg, alex or squeeze; a patch has at least 16, 31 or 17 pixels
    a side. ``weights`` is the network's file, ``linear`` the channels'; null for those in torch's
    hub cache (and, for ``linear``, in an installed package lpips). Nothing here is trained, and
    nothing is in a checkpoint. Errors as in ``Perceptual``.

    Reference: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual
    Metric", CVPR 2018, equation 1.
    """

    def __init__(
        self, *, backbone: str = "vgg", weights: str | None = None, linear: str | None = None
    ) -> None:
        super().__init__()
        self.distance = LpipsDistance(backbone, weights=weights, linear=linear)
        self.requirements = Requirements(smallest_patch=Size.of(self.distance.network.smallest))

    def forward(
        self,
        patch_rgb: Float[Tensor, "patches height width 3"],
        patch_target_rgb: Float[Tensor, "patches height width 3"],
    ) -> Float[Tensor, "patches"]:
        """Return the distance of each patch; 0 where they are equal."""
        _check_size(self.distance.network, patch_rgb)
        return self.distance(patch_rgb, patch_target_rgb)


class FeatureMatching(nn.Module):
    """Mean absolute difference of a discriminator's features: ``sum_l <|D_l(a) - D_l(b)|>``.

    One value per patch, over every block of a discriminator of its own, which learns as that of
    ``Adversarial`` does (settings, state and log are the same) to tell rendered from observed
    patches: what it looks at is what still gives renders away.

    Reference: Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with
    Conditional GANs", CVPR 2018, equation 4.
    """

    def __init__(
        self,
        *,
        mode: str = "least_squares",
        channels: int = 32,
        layers: int = 2,
        learning_rate: float = 2e-4,
        betas: Sequence[float] = (0.5, 0.999),
        penalty: float = 10.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.adversary = Adversarial(
            mode=mode,
            channels=channels,
            layers=layers,
            learning_rate=learning_rate,
            betas=betas,
            penalty=penalty,
            seed=seed,
        )
        self.optimizer = self.adversary.optimizer
        self.requirements = self.adversary.requirements

    def forward(
        self,
        patch_rgb: Float[Tensor, "patches height width 3"],
        patch_target_rgb: Float[Tensor, "patches height width 3"],
    ) -> Float[Tensor, "patches"]:
        """Return the distance of each patch. Raises ValueError where the patches are too small."""
        self.adversary.show(real=patch_target_rgb, fake=patch_rgb)
        total = patch_rgb.new_zeros(len(patch_rgb))
        # The last of them are the scores: those are what a generator's loss is about.
        ours, theirs = self.adversary.judge(patch_rgb), self.adversary.judge(patch_target_rgb)
        for x, y in zip(ours[:-1], theirs[:-1], strict=True):
            total = total + (x - y).abs().mean((1, 2, 3))
        return total

    def after_step(self, step: int) -> dict[str, float] | None:
        """Train the discriminator for one step on what this step showed."""
        return self.adversary.after_step(step)


def _checked(layer_weights: Sequence[float] | None, layers: int) -> tuple[float, ...]:
    if layer_weights is None:
        return (1.0,) * layers
    if len(layer_weights) != layers or min(layer_weights) < 0 or max(layer_weights) == 0:
        raise ValueError(
            f"layer_weights has to hold one weight, 0 or more and not all 0, for each of the "
            f"{layers} layers, got {list(layer_weights)}"
        )
    return tuple(map(float, layer_weights))


def _features(
    network: Backbone,
    patches: Float[Tensor, "patches height width 3"],
    others: Float[Tensor, "patches height width 3"],
) -> Iterator[tuple[Tensor, Tensor]]:
    """Return the features of both patches, layer by layer."""
    _check_size(network, patches)
    return zip(network(network_input(patches)), network(network_input(others)), strict=True)


def _check_size(network: Backbone, patches: Float[Tensor, "patches height width 3"]) -> None:
    """Raise ValueError where the patches are too small for the deepest layer."""
    height, width = patches.shape[1:3]
    if min(height, width) < network.smallest:
        raise ValueError(
            f"these layers need patches of at least {network.smallest} pixels a side, got "
            f"{height} x {width}: raise batch.height and batch.width, or take shallower layers"
        )


# As the terms are called: conf/loss/term/perceptual.yaml and so on.
perceptual, style, lpips, feature_matching = Perceptual, Style, Lpips, FeatureMatching
