"""Exposure and white balance per image: one affine transform of colours."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.appearance.exposure_rules import COMPOSITED, exposure_rules, transform_rates
from nerfloss.appearance.image_values import ImageValues
from nerfloss.maths.color_transforms import identity_transform


class AffineExposure(ImageValues):
    """An affine transform of the composited colour per training image, the identity at first.

    Reference: Chen et al., "PGSR: Planar-based Gaussian Splatting for Efficient and High-Fidelity
    Surface Reconstruction", TVCG 2024, which has a gain and an offset; Kerbl et al., "A
    Hierarchical 3D Gaussian Representation", SIGGRAPH 2024, for 3 x 4 matrices.
    """

    quantity = "image_exposures"
    constants = COMPOSITED

    def __init__(self, *, learning_rate: float = 3e-3) -> None:
        start, none = identity_transform(), torch.zeros(3, 4)
        super().__init__(start, transform_rates(), none, learning_rate=learning_rate)

    def rules(self, *, background_model: bool) -> Mapping[str, Callable]:
        return {
            "image_exposures": self.values,
            "exposure": exposure_of_image,
            **exposure_rules(background_model=background_model),
        }


def exposure_of_image(
    image_exposures: Float[Tensor, "images 3 4"], view: Int[Tensor, "rays"]
) -> Float[Tensor, "rays 3 4"]:
    """Return the transform of each ray's image."""
    return image_exposures.flatten(1).index_select(0, view).view(-1, 3, 4)
