"""Losses of our lab."""

from jaxtyping import Float
from torch import Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import positive


@requires(positive("black"))
def colour_angle(
    rgb: Float[Tensor, "rays 3"], target_rgb: Float[Tensor, "rays 3"], *, black: float = 1e-2
) -> Float[Tensor, "rays"]:
    """Return the angular difference of colours, ``1 - cos(rgb, target_rgb)``, in [0, 1].

    Lengths are floored at ``black``, as the direction of a dark colour is mostly noise.

    Reference: ours.
    """
    # The floor also keeps the derivative of the root finite at 0.
    ours, theirs = (
        c / c.square().sum(-1, keepdim=True).clamp_min(black**2).sqrt() for c in (rgb, target_rgb)
    )
    return 1 - (ours * theirs).sum(-1)
