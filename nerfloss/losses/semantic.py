"""Semantic terms: classification losses of rays."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import clamp_margin, not_negative


def cross_entropy(
    logits: Float[Tensor, "rays classes"], target_label: Int[Tensor, "rays"]
) -> Float[Tensor, "rays"]:
    """Return the cross entropy of a ray's class, ``-log softmax(z)_y``, in nats.

    A negative label is unknown and costs 0; ``where: target_label_known`` excludes it from the
    mean. The background is a class like the others. Labels must be below the number of classes.

    Reference: Zhi et al., "In-Place Scene Labelling and Understanding with Implicit Scene
    Representation", ICCV 2021, equation 6.
    """
    return -_log_probability(logits, target_label)


@requires(not_negative("gamma"))
def focal(
    logits: Float[Tensor, "rays classes"], target_label: Int[Tensor, "rays"], *, gamma: float = 2.0
) -> Float[Tensor, "rays"]:
    """Return the focal loss of a ray's class, ``-(1 - p)^gamma log p`` with p the class's softmax.

    With ``gamma`` 0 it is the cross entropy. ``1 - p`` is floored at 1e-6, below which its gradient
    is 0. Unknown labels as in ``cross_entropy``.

    Reference: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 4, without
    its class weights.
    """
    log_p = _log_probability(logits, target_label)
    # 1 - exp(x) loses its digits near x = 0; expm1 keeps them.
    missing = (-torch.expm1(log_p)).clamp_min(1e-6)
    return -(missing**gamma) * log_p


@requires(clamp_margin("eps"))
def binary_cross_entropy(
    prediction: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"], *, eps: float = 1e-6
) -> Float[Tensor, "*shape"]:
    """Return the binary cross entropy, ``-t log p - (1 - t) log(1 - p)``; t may be soft.

    Probabilities are clamped to ``[eps, 1 - eps]``; outside, the gradient is 0.

    Reference: Goodfellow, Bengio and Courville, "Deep Learning", MIT Press 2016, section 6.2.2.2.
    """
    clamped = prediction.clamp(eps, 1 - eps)
    return -(target * clamped.log() + (1 - target) * (1 - clamped).log())


def _log_probability(
    logits: Float[Tensor, "rays classes"], label: Int[Tensor, "rays"]
) -> Float[Tensor, "rays"]:
    """Return the log probability of the labelled class; 0 where the label is negative."""
    known = label >= 0
    of_class = logits.log_softmax(-1).gather(-1, label.long().clamp_min(0)[:, None])[:, 0]
    return torch.where(known, of_class, 0.0)
