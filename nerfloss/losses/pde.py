"""Physics-informed terms: residuals of differential equations that the SDF should satisfy."""

from collections.abc import Callable, Mapping

from jaxtyping import Float
from torch import Tensor

from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import condition, not_negative, positive
from nerfloss.maths.directions import length


@requires(not_negative("viscosity"))
def viscous_eikonal(
    space_sdf: Float[Tensor, "points"],
    space_gradients: Float[Tensor, "points 3"],
    space_laplacian: Float[Tensor, "points"],
    *,
    viscosity: float | int,
) -> Float[Tensor, "points"]:
    """Return ``| (|g| - 1) sign(f) - viscosity lap f |``: the viscous eikonal equation.

    As ``viscosity`` (in scene units) vanishes, its solution tends to the signed distance, among the
    many functions with gradients of length 1. The sign has no gradient; the length is floored at
    1e-6.

    Reference: Pumarola et al., "VisCo Grids: Surface Reconstruction with Viscosity and Coarea
    Grids", NeurIPS 2022, its viscosity loss.
    """
    return ((length(space_gradients) - 1) * space_sdf.sign() - viscosity * space_laplacian).abs()


@requires(positive("absorption"))
def screened_heat(
    space_sdf: Float[Tensor, "points"],
    space_gradients: Float[Tensor, "points 3"],
    *,
    absorption: float | int,
) -> Float[Tensor, "points"]:
    """Return the energy of the screened heat ``h = exp(-a |f|)``: ``h^2 (|g|^2 + 1) / 2``.

    Its minimiser for a given surface solves ``lap h = a^2 h``, whose ``-log(h) / a`` tends to the
    distance as the ``absorption`` a (per scene unit) grows. Points far from any surface cost
    nothing, so that superfluous surfaces are removed.

    Reference: Wang et al., "HotSpot: Signed Distance Function Optimization with an Asymptotically
    Sufficient Condition", CVPR 2025, its heat loss.
    """
    heat = (-2 * absorption * space_sdf.abs()).exp()
    return 0.5 * heat * (space_gradients.square().sum(-1) + 1)


@requires(
    condition(
        "a function (value, gradient, laplacian), e.g. {_target_: my.equation, _partial_: true}",
        lambda equation: callable(equation),
    )
)
def residual(
    field: Callable[..., Mapping[str, Tensor]],
    space_points: Float[Tensor, "points 3"],
    *,
    equation: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> Float[Tensor, "points"]:
    """Return the squared residual of any equation in the SDF, its gradient and its Laplacian.

    ``equation(value, gradient, laplacian)`` takes one row per point (``[points]``, ``[points 3]``,
    ``[points]``) and returns the residual of each point.

    Reference: Raissi, Perdikaris and Karniadakis, "Physics-Informed Neural Networks", Journal of
    Computational Physics 378, 2019.
    """
    values = field(space_points, {"sdf", "gradients", "laplacian"})
    return equation(values["sdf"], values["gradients"], values["laplacian"]).square()


def eikonal_equation(
    value: Float[Tensor, "points"],  # noqa: ARG001  every equation is handed all three
    gradient: Float[Tensor, "points 3"],
    laplacian: Float[Tensor, "points"],  # noqa: ARG001
) -> Float[Tensor, "points"]:
    """Return the residual of the eikonal equation: ``|g| - 1``, the length floored at 1e-6."""
    return length(gradient) - 1
