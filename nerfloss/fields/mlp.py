"""A small fully connected network with ReLU between its layers."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nerfloss.kernels.mlp import apply_mlp

# In which layers are computed; None: in which they are stored. float16 underflows derivatives.
LAYER_DTYPES = {"float32": None, "bfloat16": torch.bfloat16}


class MLP(nn.Module):
    """``hidden`` layers of ``width`` with ReLU, and a linear layer to ``outputs``.

    ``squash`` applies a sigmoid to the outputs. ``backend`` selects the kernels. ``precision``
    (float32 or bfloat16) is that of the layers; parameters stay float32. Biases start at 0.

    Reference: He et al., "Delving Deep into Rectifiers", ICCV 2015, for the initial weights.
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
        if precision not in LAYER_DTYPES:
            raise ValueError(
                f"a network's precision={precision!r} is none of {', '.join(LAYER_DTYPES)}"
            )
        self.layer_dtype = LAYER_DTYPES[precision]
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

    def forward(
        self, *inputs: Float[Tensor, "points _"], first: int | None = None
    ) -> Float[Tensor, "points outputs"]:
        """Return the outputs for the concatenation of all inputs; with ``first`` only so many."""
        columns = [each.t() for each in inputs]
        joined = torch.cat(columns) if len(columns) > 1 else columns[0]
        *parameters, weight, bias = self.layers.parameters()
        parameters += [weight, bias] if first is None else [weight[:first], bias[:first]]
        return apply_mlp(
            joined, parameters, squash=self.squash, backend=self.backend, rounded=self.layer_dtype
        ).t()
