"""A small problem for balancers of gradients: terms that pull at one vector."""

import torch
from torch import nn

from nerfloss.recipe import LossRecipe


class Pull(nn.Module):
    """Distance of a shared vector to a target, in units of its own: scale decides who shouts."""

    def __init__(self, *, vector: nn.Parameter, target: list[float], scale: float) -> None:
        super().__init__()
        self.shared = [vector]  # in a list: no parameter of the term's own
        self.target, self.scale = torch.tensor(target), scale

    def forward(self):
        return self.scale * (self.shared[0] - self.target).square()


def problem(balancer, scales, targets, weights=None):
    """A recipe of one term for each scale, and the vector that all of them pull at."""
    vector = nn.Parameter(torch.zeros(len(targets[0])))
    specs = {
        name: {
            "fn": Pull(vector=vector, target=target, scale=scale),
            "weight": (weights or {}).get(name, 1.0),
        }
        for (name, scale), target in zip(scales.items(), targets, strict=True)
    }
    return LossRecipe(specs, balancer), vector


def descend(recipe, vector, steps, rate=0.0, begin=0):
    """Take steps of plain descent (or stand still, at rate 0), as the trainer would."""
    report = None
    for step in range(begin, begin + steps):
        report = recipe({}, step)
        recipe.objective(report, step, [vector]).backward()
        with torch.no_grad():
            vector -= rate * vector.grad
        vector.grad = None
    return report


def pulls(recipe, vector, step=0):
    """How hard each term pulls now: the length of its weighted, balanced gradient."""
    recipe.eval()
    report = recipe({}, step)
    recipe.train()
    return {
        name: float(
            torch.autograd.grad(report.weights[name] * value, vector, retain_graph=True)[0].norm()
        )
        for name, value in report.values.items()
    }
