"""No balancing: every term keeps its base weight."""

from collections.abc import Mapping

from torch import Tensor

from nerfloss.recipe.balancer import Balancer


class Unbalanced(Balancer):
    """Return no factor for any loss."""

    stateless = True

    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:  # noqa: ARG002
        return {}
