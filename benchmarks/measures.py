"""Measurements of studies in addition to the evaluator's metrics: functions of quantities."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.evaluation.errors import UndefinedMetric


def stray(
    opacity: Float[Tensor, "height width"], target_mask: Float[Tensor, "height width"]
) -> Float[Tensor, ""]:
    """Mean opacity where no object is: floaters, also those of the background's own colour."""
    return opacity[target_mask < 0.01].mean()


def sharpness(
    rgb: Float[Tensor, "height width 3"],
    target_rgb: Float[Tensor, "height width 3"],
    target_mask: Float[Tensor, "height width"],
) -> Float[Tensor, ""]:
    """Mean slope of the rendered colours over that of the observed ones, on the object.

    1 is as sharp as the photograph, below is blurred; noise counts as sharp, so read it with
    PSNR.
    """
    inside = target_mask[1:, 1:] > 0.99
    return _slope(rgb)[inside].mean() / _slope(target_rgb)[inside].mean().clamp_min(1e-6)


def _slope(image: Float[Tensor, "height width 3"]) -> Float[Tensor, "_ _"]:
    down = image[1:, 1:] - image[:-1, 1:]
    across = image[1:, 1:] - image[1:, :-1]
    return (down.square() + across.square()).sum(-1).sqrt()


def sharpness_error(
    rgb: Float[Tensor, "height width 3"],
    target_rgb: Float[Tensor, "height width 3"],
    target_mask: Float[Tensor, "height width"],
) -> Float[Tensor, ""]:
    """How far sharpness is from 1, whichever way."""
    return (sharpness(rgb, target_rgb, target_mask) - 1).abs()


def separation(
    features: Float[Tensor, "height width channels"],
    target_instance: Int[Tensor, "height width"],
) -> Float[Tensor, ""]:
    """Mean over pixels of ``(b - a) / max(a, b)``: how much nearer one's own instance is.

    a is the distance of a pixel's unit-length feature from the mean of its instance in this view, b
    from the nearest other one. 1 is separate, 0 mixed. Raises UndefinedMetric where fewer than two
    instances are seen.

    Reference: Rousseeuw, "Silhouettes", Journal of Computational and Applied Mathematics 20, 1987,
    with means in the place of members.
    """
    own, other = _to_means(features, target_instance)
    return ((other - own) / torch.maximum(own, other).clamp_min(1e-6)).mean()


def instance_accuracy(
    features: Float[Tensor, "height width channels"],
    target_instance: Int[Tensor, "height width"],
) -> Float[Tensor, ""]:
    """Share of pixels whose feature is nearest to the mean of their own instance in this view."""
    own, other = _to_means(features, target_instance)
    return (own < other).float().mean()


def _to_means(features: Tensor, target_instance: Tensor) -> tuple[Tensor, Tensor]:
    seen = target_instance > 0
    unit = torch.nn.functional.normalize(features[seen], dim=-1)
    names, instance = target_instance[seen].unique(return_inverse=True)
    if len(names) < 2:
        raise UndefinedMetric("this view shows fewer than two instances")
    means = torch.stack([unit[instance == i].mean(0) for i in range(len(names))])
    distance = torch.cdist(unit, means)
    own = distance.gather(1, instance[:, None])
    return own[:, 0], distance.scatter(1, instance[:, None], torch.inf).amin(1)


def label_accuracy(
    logits: Float[Tensor, "height width classes"], target_label: Int[Tensor, "height width"]
) -> Float[Tensor, ""]:
    """Share of the object's pixels whose likeliest class is the observed one."""
    seen = target_label > 0
    return (logits.argmax(-1) == target_label)[seen].float().mean()
