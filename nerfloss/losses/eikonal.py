"""Eikonal terms: the gradient of a signed distance has length 1."""

from jaxtyping import Float
from torch import Tensor

from nerfloss.maths.directions import length


def eikonal(gradients: Float[Tensor, "*shape 3"]) -> Float[Tensor, "*shape"]:
    """Penalize gradients whose length is not one: ``(|g| - 1)^2`` per sample or point.

    The length is floored at 1e-6 so that the derivative stays finite where the gradient vanishes,
    as it does on the medial axis.

    Reference: Gropp et al., "Implicit Geometric Regularization for Learning Shapes", ICML 2020.
    """
    return (length(gradients) - 1).square()


def eikonal_l1(gradients: Float[Tensor, "*shape 3"]) -> Float[Tensor, "*shape"]:
    """Penalize gradients whose length is not one: ``| |g| - 1 |``, floored as in ``eikonal``.

    Reference: Yang et al., "StEik: Stabilizing the Optimization of Neural Signed Distance
    Functions and Finer Shape Representation", NeurIPS 2023.
    """
    return (length(gradients) - 1).abs()
