"""Colour maps that are perceptually uniform and readable with colour vision deficiency."""

import numpy as np
from jaxtyping import Float, UInt8

# Nine and ten equidistant colours of matplotlib's viridis and inferno (CC0).
VIRIDIS = "440154 472d7b 3b528b 2c728e 21918c 28ae80 5ec962 addc30 fde725"
INFERNO = "000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4"
# Eleven of ColorBrewer's diverging RdBu (Apache 2.0): red below the middle, blue above.
RED_BLUE = "67001f b2182b d6604d f4a582 fddbc7 f7f7f7 d1e5f0 92c5de 4393c3 2166ac 053061"


def apply_colormap(
    values: Float[np.ndarray, "height width"], low: float, high: float, *, colors: str = VIRIDIS
) -> UInt8[np.ndarray, "height width 3"]:
    """Return colours of values between ``low`` and ``high``; values beyond are clamped."""
    anchors = np.array([list(bytes.fromhex(color)) for color in colors.split()], dtype=float)
    fraction = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    positions = np.linspace(0, 1, len(anchors))
    channels = [np.interp(fraction, positions, anchors[:, channel]) for channel in range(3)]
    return np.stack(channels, -1).round().astype(np.uint8)
