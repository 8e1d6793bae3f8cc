"""No balancing: every term keeps the weight that its recipe gave it."""

from collections.abc import Mapping

from torch import Tensor, nn


class Unbalanced(nn.Module):
    """The balancer that changes nothing: it has no factor for any loss."""

    stateless = True

    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:  # noqa: ARG002
        return {}
