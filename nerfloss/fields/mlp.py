"""A small fully connected network with ReLU between its layers."""

from itertools import pairwise

from torch import nn


def mlp(inputs: int, outputs: int, *, hidden: int, width: int) -> nn.Sequential:
    """Return ``hidden`` layers of ``width`` with ReLU, and a linear layer to ``outputs``.

    Weights start as in He et al., "Delving Deep into Rectifiers", ICCV 2015; biases at 0.
    """
    sizes = [inputs, *[width] * hidden]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    layers.append(nn.Linear(sizes[-1], outputs))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    nn.init.xavier_normal_(layers[-1].weight)  # type: ignore[arg-type]
    return nn.Sequential(*layers)
