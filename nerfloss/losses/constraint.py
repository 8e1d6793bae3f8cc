"""Soft constraints on any quantity, which ``inputs`` binds."""

from jaxtyping import Float
from torch import Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import condition, finite


@requires(condition("lower <= upper", lambda lower, upper: lower <= upper))
def bounds(
    x: Float[Tensor, "*shape"], *, lower: float | int, upper: float | int
) -> Float[Tensor, "*shape"]:
    """Return the squared distance from an interval: ``max(0, x - upper)^2 + max(0, lower - x)^2``.

    Either end may be infinite (``.inf``), which leaves that side unbounded.

    Reference: Courant, "Variational Methods for the Solution of Problems of Equilibrium and
    Vibrations", Bulletin of the American Mathematical Society 49, 1943: quadratic penalties.
    """
    return (x - upper).clamp_min(0).square() + (lower - x).clamp_min(0).square()


def non_negative(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return the square of the negative part: ``max(0, -x)^2``.

    Reference: Courant, "Variational Methods for the Solution of Problems of Equilibrium and
    Vibrations", Bulletin of the American Mathematical Society 49, 1943: quadratic penalties.
    """
    return (-x).clamp_min(0).square()


@requires(finite("total"))
def sum_to(x: Float[Tensor, "*shape"], *, total: float | int = 1.0) -> Float[Tensor, "*rest"]:
    """Return the squared deviation of the sum over the last axis: ``(sum x - total)^2``.

    Reference: Raissi, Perdikaris and Karniadakis, "Physics-Informed Neural Networks", Journal of
    Computational Physics 378, 2019: constraints as squared residuals.
    """
    return (x.sum(-1) - total).square()


def monotone_sequence(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*rest"]:
    """Return the squared decreases along the last axis: ``max(0, x_i - x_i+1)^2``.

    One value per pair of neighbours; 0 where the sequence increases.

    Reference: Gupta et al., "How to Incorporate Monotonicity in Deep Networks While Preserving
    Flexibility?", NeurIPS 2019 workshop: penalties on slopes of the wrong sign.
    """
    return (-x.diff(dim=-1)).clamp_min(0).square()


def laplacian_smooth(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*rest"]:
    """Return squared second differences along the last axis: ``(x_i-1 - 2 x_i + x_i+1)^2``.

    0 for straight lines; two values fewer than there are entries.

    Reference: Whittaker, "On a New Method of Graduation", Proceedings of the Edinburgh Mathematical
    Society 41, 1923, with second differences.
    """
    return x.diff(n=2, dim=-1).square()


def conserve(x: Float[Tensor, "*before"], y: Float[Tensor, "*after"]) -> Float[Tensor, "*rest"]:
    """Return the squared difference of the sums over the last axis: ``(sum x - sum y)^2``.

    The total is conserved, whatever its distribution; the lengths may differ.

    Reference: Raissi, Perdikaris and Karniadakis, "Physics-Informed Neural Networks", Journal of
    Computational Physics 378, 2019: conservation as a squared residual.
    """
    return (x.sum(-1) - y.sum(-1)).square()


@requires(finite("value"))
def fixed(x: Float[Tensor, "*shape"], *, value: float | int) -> Float[Tensor, "*shape"]:
    """Return the squared difference from a constant, ``(x - value)^2``: a boundary condition.

    Reference: Raissi, Perdikaris and Karniadakis, "Physics-Informed Neural Networks", Journal of
    Computational Physics 378, 2019, its initial and boundary data.
    """
    return (x - value).square()
