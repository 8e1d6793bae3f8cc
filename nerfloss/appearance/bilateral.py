"""Local tone mapping per image: a bilateral grid of affine transforms of colours."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.appearance.exposure_rules import COMPOSITED, exposure_rules, transform_rates
from nerfloss.appearance.image_values import ImageValues
from nerfloss.maths.color_transforms import identity_transform, luminance, sliced_grids


class BilateralGrid(ImageValues):
    """A grid of affine transforms per training image, over column, row and luminance.

    The identity everywhere at first. The grid has ``columns`` x ``rows`` x ``luminances`` vertices
    per image and is sliced at the pixel and at the luminance of the uncorrected colour. To an image
    that was not trained on one offset of all vertices is fitted, since a part of the image does not
    determine those of the rest.

    Reference: Wang et al., "Bilateral Guided Radiance Field Processing", SIGGRAPH 2024.
    """

    quantity = "bilateral_grids"
    constants = COMPOSITED

    def __init__(
        self,
        *,
        columns: int = 16,
        rows: int = 16,
        luminances: int = 8,
        learning_rate: float = 3e-3,
    ) -> None:
        if min(columns, rows, luminances) < 1:
            raise ValueError(
                "appearance needs columns, rows and luminances >= 1, got "
                f"{columns}, {rows} and {luminances}"
            )
        start = identity_transform().expand(luminances, rows, columns, 3, 4).clone()
        none = torch.zeros(3, 4)
        super().__init__(start, transform_rates(), none, learning_rate=learning_rate)

    def rules(self, *, background_model: bool) -> Mapping[str, Callable]:
        return {
            "bilateral_grids": self.values,
            "image_sizes": self.image_sizes,
            "exposure": exposure_of_pixel,
            **exposure_rules(background_model=background_model),
        }


def exposure_of_pixel(
    bilateral_grids: Float[Tensor, "images luminances rows columns 3 4"],
    image_sizes: Float[Tensor, "images 2"],
    view: Int[Tensor, "rays"],
    pixel: Float[Tensor, "rays 2"],
    rgb_uncorrected: Float[Tensor, "rays 3"],
) -> Float[Tensor, "rays 3 4"]:
    """Return the transforms at the rays' pixels, by the luminance of their uncorrected colour."""
    place = pixel / image_sizes[view]
    guide = luminance(rgb_uncorrected)[:, None]
    return sliced_grids(bilateral_grids, view, torch.cat([place, guide], dim=1))
