"""A small fully connected network with ReLU between its layers."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.kernels.mlp import apply_mlp

# None: as it is learned. float16 would lose small derivatives.
ROUNDED = {"float32": None, "bfloat16": torch.bfloat16}


class MLP(nn.Module):
    """``hidden`` layers of ``width`` with ReLU, and a linear layer to ``outputs``.

    With ``squash`` these go through the sigmoid. ``backend`` computes it, as it does a grid.
    ``precision`` is that of the layers, float32 or bfloat16; what is learned stays float32.

    Weights start as in He et al., "Delving Deep into Rectifiers", ICCV 2015; biases at 0.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        hidden: int,
        width: int,
        squash: bool = False,
        backend: str = "auto",
        precision: str = "float32",
    ) -> None:
        super().__init__()
        if precision not in ROUNDED:
            raise ValueError(f"a network's precision={precision!r} is none of {', '.join(ROUNDED)}")
        self.rounded = ROUNDED[precision]
        if hidden < 1:
            raise ValueError(f"a small network needs hidden >= 1, got hidden={hidden}")
        sizes = [inputs, *[width] * hidden, outputs]
        layers = [nn.Linear(before, after) for before, after in pairwise(sizes)]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        nn.init.xavier_normal_(layers[-1].weight)
        self.layers = nn.ModuleList(layers)
        self.squash, self.backend = squash, backend

    def forward(self, *inputs: Float[Tensor, "points _"]) -> Float[Tensor, "points outputs"]:
        """Outputs of the last layer, for inputs that are laid side by side."""
        columns = [each.t() for each in inputs]
        joined = torch.cat(columns) if len(columns) > 1 else columns[0]
        parameters = list(self.layers.parameters())
        return apply_mlp(
            joined, parameters, squash=self.squash, backend=self.backend, rounded=self.rounded
        ).t()
