"""Spectral terms: differences of Fourier transforms of patches or sequences."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import condition, not_negative


@requires(
    condition("one or more different axes for dims", lambda dims: 0 < len(dims) == len(set(dims))),
    condition("power 1 (absolute) or 2 (squared)", lambda power: power in (1, 2)),
    value_axes="frequencies",
)
def fourier(
    prediction: Float[Tensor, "*shape"],
    target: Float[Tensor, "*shape"],
    *,
    dims: Sequence[int] = (1, 2),
    power: int = 1,
) -> Float[Tensor, "*shape"]:
    """Return the difference of two spectra per frequency: real part plus imaginary part.

    ``|Re(A - B)|^power + |Im(A - B)|^power`` with the Fourier transforms A and B over the axes
    ``dims``, divided by the number of values there (forward normalisation), so that a constant
    offset counts once, at frequency 0. ``(1, 2)`` are the rows and columns of patches; ``(-1,)`` is
    for sequences, such as a ray's weights. White noise is spread over all frequencies and divided
    by the root of their number: scale the term's weight by about that root. Raises IndexError for
    axes that the quantities lack.

    Reference: Yuan and Qiao, "Diffusion-TS: Interpretable Diffusion for General Time Series
    Generation", ICLR 2024, the Fourier-based loss.
    """
    # The transform is linear: one transform of the difference suffices.
    spectrum = torch.fft.fftn(prediction - target, dim=tuple(dims), norm="forward")
    return spectrum.real.abs() ** power + spectrum.imag.abs() ** power


@requires(not_negative("alpha"), value_axes="frequencies")
def focal_frequency(
    patch_rgb: Float[Tensor, "patches height width 3"],
    patch_target_rgb: Float[Tensor, "patches height width 3"],
    *,
    alpha: float = 1.0,
) -> Float[Tensor, "patches height width 3"]:
    """Return the squared difference of spectra, weighted towards the largest differences.

    ``w |A - B|^2`` with orthonormal Fourier transforms A and B over rows and columns and the weight
    ``w = (|A - B| / max |A - B|)^alpha``, its maximum over the frequencies of a patch and channel.
    In squared colour; with ``alpha`` 0 the mean is that of ``l2`` over pixels. No gradient flows
    into w.

    Reference: Jiang et al., "Focal Frequency Loss for Image Reconstruction and Synthesis", ICCV
    2021.
    """
    spectrum = torch.fft.fft2(patch_rgb - patch_target_rgb, dim=(1, 2), norm="ortho")
    distance = spectrum.real.square() + spectrum.imag.square()
    size = distance.detach().sqrt()
    # The floor, below any difference of float32 colours, turns 0 / 0 into 0.
    weight = (size / size.amax((1, 2), keepdim=True).clamp_min(1e-12)) ** alpha
    return weight * distance
