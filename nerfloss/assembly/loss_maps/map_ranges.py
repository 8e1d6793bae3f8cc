"""Ranges of the colours of maps: the same for all views, so that pictures can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nerfloss.evaluation.colormaps import INFERNO, RED_BLUE

QUANTILE = 0.99


@dataclass(frozen=True)
class Range:
    """Values at both ends of a colour bar, its colours, and if some values lie beyond."""

    low: float
    high: float
    colors: str = INFERNO
    below: bool = False
    beyond: bool = False

    @property
    def ends(self) -> tuple[str, str]:
        """Both ends in few digits, with a sign where values lie beyond."""
        return f"{'<= ' * self.below}{self.low:.3g}", f"{'>= ' * self.beyond}{self.high:.3g}"


COSINE = Range(-1.0, 1.0, RED_BLUE)


def range_of(images: Sequence[Float[np.ndarray, "*shape"]], colors: str = INFERNO) -> Range:
    """Return the range of images: from 0 to the 99 % quantile of all their values.

    From the 1 % quantile where there are negative values. NaN counts for nothing.
    """
    values = np.concatenate([np.zeros(1), *(image[np.isfinite(image)] for image in images)])
    high = float(np.quantile(values, QUANTILE))
    low = float(np.quantile(values, 1 - QUANTILE)) if values.min() < 0 else 0.0
    if not high > low:
        # Few pixels differ from 0: they are what there is to see.
        low, high = float(values.min()), float(values.max())
    return Range(
        low,
        high if high > low else low + 1.0,
        colors,
        below=bool(values.min() < low),
        beyond=bool(values.max() > high),
    )
