"""Rules of quantities: colours of rays, corrected by the affine transform of their image.

A correction applies to what was photographed. A colour that the dataset puts behind a masked
object (``background``) is not; the colours of a background model are.
"""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.maths.color_transforms import transformed_colors

# Quantities of a ray from which these rules compute its colour, beside the transforms.
COMPOSITED = frozenset({"rgb_foreground", "opacity", "background_rgb"})
# Rate of the entries off the diagonal, relative to the gains on it. A view's colours determine the
# gains well and these badly, since the channels of most colours resemble each other: at the same
# rate they would follow the noise of single batches.
MIXING_RATE = 0.1


def transform_rates() -> Float[Tensor, "3 4"]:
    """Return the relative learning rates of the entries of an affine transform."""
    return torch.where(torch.eye(3, 4) == 1, 1.0, MIXING_RATE)


def exposure_rules(*, background_model: bool) -> Mapping[str, Callable]:
    """Return the rules of ``rgb_uncorrected`` and of the corrected ``rgb``."""
    if background_model:
        return {"rgb_uncorrected": scene_color, "rgb": corrected_scene}
    return {"rgb_uncorrected": foreground_color, "rgb": corrected_foreground}


def foreground_color(rgb_foreground: Float[Tensor, "rays 3"]) -> Float[Tensor, "rays 3"]:
    """Return the colour of what was photographed: the foreground, on black."""
    return rgb_foreground


def scene_color(
    rgb_foreground: Float[Tensor, "rays 3"],
    opacity: Float[Tensor, "rays"],
    background_rgb: Float[Tensor, "rays 3"],
) -> Float[Tensor, "rays 3"]:
    """Return the colour of what was photographed: the foreground before the background."""
    return rgb_foreground + (1 - opacity)[:, None] * background_rgb


def corrected_foreground(
    rgb_uncorrected: Float[Tensor, "rays 3"],
    opacity: Float[Tensor, "rays"],
    background_rgb: Float[Tensor, "rays 3"],
    exposure: Float[Tensor, "rays 3 4"],
) -> Float[Tensor, "rays 3"]:
    """Return the corrected foreground before the background's colour, as it is.

    Clamped to [0, 1], as a sensor saturates: where the target is saturated too there is no error.
    """
    corrected = transformed_colors(rgb_uncorrected, opacity, exposure)
    return corrected.clamp(0.0, 1.0) + (1 - opacity)[:, None] * background_rgb


def corrected_scene(
    rgb_uncorrected: Float[Tensor, "rays 3"], exposure: Float[Tensor, "rays 3 4"]
) -> Float[Tensor, "rays 3"]:
    """Return the corrected colour of the whole scene, clamped to [0, 1] as a sensor saturates."""
    whole = torch.ones_like(rgb_uncorrected[:, 0])
    return transformed_colors(rgb_uncorrected, whole, exposure).clamp(0.0, 1.0)
