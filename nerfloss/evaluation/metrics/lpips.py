"""LPIPS: distance of two images in the features of a network, weighted as people judged it."""

from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.losses.pretrained.loading import LpipsDistance
from nerfloss.losses.pretrained.weight_files import LPIPS_NETWORKS

SMALLEST = {"alex": 31, "vgg": 16, "squeeze": 17}  # below this a deep layer has no pixel left


class Lpips(nn.Module):
    """LPIPS (version 0.1) by its backbone: ``alex``, ``vgg`` or ``squeeze``.

    The weights are read at the first use, from ``folder`` or from torch.hub's cache, into which the
    published files are downloaded once.
    """

    def __init__(self, *, backbone: str = "alex", folder: str | None = None) -> None:
        super().__init__()
        if backbone not in LPIPS_NETWORKS:
            raise ValueError(f"lpips has backbones {', '.join(LPIPS_NETWORKS)}, got '{backbone}'")
        self.backbone = backbone
        self.folder = folder
        self.distance: LpipsDistance | None = None

    def forward(
        self, rgb: Float[Tensor, "height width 3"], target_rgb: Float[Tensor, "height width 3"]
    ) -> Float[Tensor, ""]:
        """Perceptual distance, 0 for equal images; colours in [0, 1].

        Raises UndefinedMetric where the image is too small, MissingWeights where weights are
        missing and cannot be downloaded.
        """
        if min(rgb.shape[:2]) < SMALLEST[self.backbone]:
            raise UndefinedMetric(
                f"lpips_{self.backbone} needs images of at least {SMALLEST[self.backbone]} pixels "
                f"a side, got {rgb.shape[0]} x {rgb.shape[1]}"
            )
        if self.distance is None:
            self.distance = LpipsDistance(self.backbone, folder=self.folder)
        return self.distance.to(rgb.device)(rgb[None], target_rgb[None])[0]
