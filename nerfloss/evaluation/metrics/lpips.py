"""LPIPS: distance of two images in a network's features, weighted to match human judgement."""

from functools import cache

from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.metrics.metadata import RATIO, metric
from nerfloss.losses.pretrained.loading import LpipsDistance
from nerfloss.losses.pretrained.weight_files import (
    LPIPS_NETWORKS,
    linear_source,
    network_source,
)

# Smallest image side, in pixels, for which the deepest layer has a pixel.
SMALLEST = {"alex": 31, "vgg": 16, "squeeze": 17}


class Lpips(nn.Module):
    """LPIPS (version 0.1) with a backbone: ``alex``, ``vgg`` or ``squeeze``.

    The weights are read at the first use: from ``folder``, or where else published weights are
    looked for (`nerfloss.losses.pretrained.weight_files`); else they are downloaded once, unless
    ``download`` is false. An ``optional`` metric is left out of evaluations where its weights are
    not on disk.

    Reference: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual
    Metric", CVPR 2018.
    """

    unit = RATIO
    better = "lower"

    def __init__(
        self,
        *,
        backbone: str = "alex",
        folder: str | None = None,
        download: bool = True,
        optional: bool = False,
    ) -> None:
        super().__init__()
        if backbone not in LPIPS_NETWORKS:
            raise ValueError(f"lpips has backbones {', '.join(LPIPS_NETWORKS)}, got '{backbone}'")
        self.backbone = backbone
        self.folder, self.download, self.optional = folder, download, optional
        self.distance: LpipsDistance | None = None

    def is_measured(self) -> bool:
        """Return False for an optional metric whose weights are not on disk."""
        if not self.optional:
            return True
        sources = (
            network_source(LPIPS_NETWORKS[self.backbone], self.folder),
            linear_source(self.backbone, self.folder),
        )
        return all(any(place.is_file() for place in source.places) for source in sources)

    def forward(
        self, rgb: Float[Tensor, "height width 3"], target_rgb: Float[Tensor, "height width 3"]
    ) -> Float[Tensor, ""]:
        """Return the perceptual distance, 0 for equal images; colours are in [0, 1].

        Raises UndefinedMetric where the image is too small, MissingWeights where weights are
        missing and cannot be downloaded.
        """
        if min(rgb.shape[:2]) < SMALLEST[self.backbone]:
            raise UndefinedMetric(
                f"lpips_{self.backbone} needs images of at least {SMALLEST[self.backbone]} pixels "
                f"a side, got {rgb.shape[0]} x {rgb.shape[1]}"
            )
        if self.distance is None:
            self.distance = LpipsDistance(
                self.backbone, folder=self.folder, may_download=self.download
            )
        return self.distance.to(rgb.device)(rgb[None], target_rgb[None])[0]


@metric(unit=RATIO, better="lower")
def lpips_alex(
    rgb: Float[Tensor, "height width 3"],
    target_rgb: Float[Tensor, "height width 3"],
    *,
    folder: str | None = None,
) -> Float[Tensor, ""]:
    """LPIPS with AlexNet (see `Lpips`), its weights read once."""
    return _lpips("alex", folder)(rgb, target_rgb)


@metric(unit=RATIO, better="lower")
def lpips_vgg(
    rgb: Float[Tensor, "height width 3"],
    target_rgb: Float[Tensor, "height width 3"],
    *,
    folder: str | None = None,
) -> Float[Tensor, ""]:
    """LPIPS with VGG16 (see `Lpips`), its weights read once."""
    return _lpips("vgg", folder)(rgb, target_rgb)


@metric(unit=RATIO, better="lower")
def lpips_squeeze(
    rgb: Float[Tensor, "height width 3"],
    target_rgb: Float[Tensor, "height width 3"],
    *,
    folder: str | None = None,
) -> Float[Tensor, ""]:
    """LPIPS with SqueezeNet 1.1 (see `Lpips`), its weights read once."""
    return _lpips("squeeze", folder)(rgb, target_rgb)


@cache  # reading the weights of VGG takes seconds
def _lpips(backbone: str, folder: str | None) -> Lpips:
    return Lpips(backbone=backbone, folder=folder)
