"""Pointwise differences of any two quantities, which ``inputs`` binds."""

from jaxtyping import Float
from torch import Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import positive


def l2(
    prediction: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Return the squared difference, ``(a - b)^2``, elementwise.

    Reference: Mildenhall et al., "NeRF: Representing Scenes as Neural Radiance Fields for View
    Synthesis", ECCV 2020, equation 6.
    """
    return (prediction - target).square()


def l1(
    prediction: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Return the absolute difference, ``|a - b|``, elementwise; its gradient is 0 where both agree.

    Reference: Wang et al., "NeuS: Learning Neural Implicit Surfaces by Volume Rendering for
    Multi-view Reconstruction", NeurIPS 2021, section 3.3.
    """
    return (prediction - target).abs()


@requires(positive("delta"))
def huber(
    prediction: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"], *, delta: float = 0.1
) -> Float[Tensor, "*shape"]:
    """Return the Huber loss: ``d^2 / 2`` up to ``delta``, then ``delta (|d| - delta / 2)``.

    Reference: Huber, "Robust Estimation of a Location Parameter", The Annals of Mathematical
    Statistics 35, 1964.
    """
    distance = (prediction - target).abs()
    # c is the part of the distance in the quadratic range.
    c = distance.clamp_max(delta)
    return c * (distance - 0.5 * c)


@requires(positive("eps"))
def charbonnier(
    prediction: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"], *, eps: float = 1e-3
) -> Float[Tensor, "*shape"]:
    """Return the smooth absolute difference, ``sqrt((a - b)^2 + eps^2)``; at least ``eps``.

    Reference: Charbonnier et al., "Two Deterministic Half-Quadratic Regularization Algorithms for
    Computed Imaging", ICIP 1994.
    """
    return ((prediction - target).square() + eps**2).sqrt()


@requires(positive("eps"))
def relative_l2(
    prediction: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"], *, eps: float = 1e-3
) -> Float[Tensor, "*shape"]:
    """Return the squared difference relative to the prediction: ``(a - b)^2 / (sg(a) + eps)^2``.

    ``sg`` stops the gradient: the denominator approximates the derivative of a logarithmic tone
    curve at ``a``; with a gradient, a larger prediction would lower the loss. For quantities that
    are not negative.

    Reference: Mildenhall et al., "NeRF in the Dark: High Dynamic Range View Synthesis from Noisy
    Raw Images", CVPR 2022.
    """
    return ((prediction - target) / (prediction.detach() + eps)).square()


def log_l1(
    prediction: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Return the absolute difference of logarithms, ``|log a - log b|``, which is scale-invariant.

    Both are floored at 1e-6; below the floor the gradient is 0.

    Reference: Eigen, Puhrsch and Fergus, "Depth Map Prediction from a Single Image using a
    Multi-Scale Deep Network", NIPS 2014, which compares depths by their logarithms.
    """
    return (prediction.clamp_min(1e-6).log() - target.clamp_min(1e-6).log()).abs()
