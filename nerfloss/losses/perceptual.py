"""Perceptual terms: distances of the features of networks instead of pixels."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.losses.adversarial import Adversarial
from nerfloss.losses.pretrained.layer_sum import LayerSum, check_patch_size
from nerfloss.losses.pretrained.loading import LpipsDistance
from nerfloss.losses.requirements import Requirements, Size
from nerfloss.maths.deep_features import gram_matrix


class Perceptual(nn.Module):
    """Mean squared difference of a trained network's features: ``sum_l w_l <(F_l(a) - F_l(b))^2>``.

    One value per patch; colours in [0, 1]. ``backbone`` is vgg16, vgg19, alex or squeeze;
    ``layers`` are names such as relu2_2 (VGG), relu2 (AlexNet) or fire3 (SqueezeNet), null for the
    end of each block; ``layer_weights`` are one per layer, null for 1. The network is frozen and
    not saved; ``weights`` is the file of its state dict, null for torchvision's, which is
    downloaded once into torch.hub's cache. Raises ValueError for invalid settings, MissingWeights
    where there is no file, both when the recipe is built.

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
        self.layers = LayerSum(backbone, layers, layer_weights, weights)
        self.requirements = Requirements(smallest_patch=Size.of(self.layers.network.smallest))

    def forward(
        self,
        patch_rgb: Float[Tensor, "patches height width 3"],
        patch_target_rgb: Float[Tensor, "patches height width 3"],
    ) -> Float[Tensor, "patches"]:
        """Return the distance of each patch; 0 where they are equal."""
        return self.layers(
            patch_rgb, patch_target_rgb, lambda x, y: (x - y).square().mean((1, 2, 3))
        )


class Style(nn.Module):
    """Squared Frobenius distance of Gram matrices: ``sum_l w_l |G_l(a) - G_l(b)|^2``.

    ``G = F F^T / (C H W)`` over the C channels of a layer: the correlation of channels, which does
    not depend on positions in the patch. One value per patch; settings and errors as in
    ``Perceptual``.

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
        self.layers = LayerSum(backbone, layers, layer_weights, weights)
        self.requirements = Requirements(smallest_patch=Size.of(self.layers.network.smallest))

    def forward(
        self,
        patch_rgb: Float[Tensor, "patches height width 3"],
        patch_target_rgb: Float[Tensor, "patches height width 3"],
    ) -> Float[Tensor, "patches"]:
        """Return the distance of each patch; 0 where they are equal."""
        return self.layers(
            patch_rgb,
            patch_target_rgb,
            lambda x, y: (gram_matrix(x) - gram_matrix(y)).square().sum((1, 2)),
        )


class Lpips(nn.Module):
    """LPIPS 0.1 of each patch, ``sum_l <sum_c w_lc (x_lc - y_lc)^2>`` on unit-length features.

    Equal to the metric of this name; colours in [0, 1], converted inside. ``backbone`` is vgg, alex
    or squeeze; a patch has at least 16, 31 or 17 pixels a side. ``weights`` is the network's file,
    ``linear`` that of the channels' weights w; null for the published ones, which are downloaded
    once into torch.hub's cache. Everything is frozen and not saved. Errors as in ``Perceptual``.

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
        check_patch_size(self.distance.network, patch_rgb)
        return self.distance(patch_rgb, patch_target_rgb)


class FeatureMatching(nn.Module):
    """Mean absolute difference of a discriminator's features: ``sum_l <|D_l(a) - D_l(b)|>``.

    One value per patch, over all blocks of its own discriminator, which is trained to tell rendered
    from observed patches as in ``Adversarial`` (same settings, state and log).

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
        # Without the last ones, which are the scores.
        ours, theirs = self.adversary.judge(patch_rgb), self.adversary.judge(patch_target_rgb)
        for x, y in zip(ours[:-1], theirs[:-1], strict=True):
            total = total + (x - y).abs().mean((1, 2, 3))
        return total

    def after_step(self, step: int) -> dict[str, float] | None:
        """Train the discriminator for one step on the patches of this step."""
        return self.adversary.after_step(step)


# Names of the terms in conf/loss/term/.
perceptual, style, lpips, feature_matching = Perceptual, Style, Lpips, FeatureMatching
