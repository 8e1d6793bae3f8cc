"""Uncertainty weighting finds the noise of what each term fits."""

import pytest
import torch
from torch import nn

from nerfloss.recipe import LossRecipe, schedules
from nerfloss.recipe.balancers.uncertainty import Uncertainty

NOISES = {"fine": 0.1, "coarse": 0.8}


class Line(nn.Module):
    """A line through noisy points."""

    def __init__(self, *, noise: float, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.scale = nn.Parameter(torch.zeros(()))
        self.x = torch.linspace(-1, 1, 4000)
        self.y = 2 * self.x + noise * torch.randn(4000, generator=generator)

    def forward(self):
        return (self.scale * self.x - self.y).square()


def fitted(weights, steps=1500):
    terms = {
        name: {"fn": Line(noise=noise, seed=seed), "weight": weights[name]}
        for seed, (name, noise) in enumerate(NOISES.items())
    }
    recipe = LossRecipe(terms, Uncertainty())
    optimizer = torch.optim.Adam(recipe.trainable_parameters(), lr=0.02)
    for step in range(steps):
        optimizer.zero_grad()
        recipe({}, step).total.backward()
        optimizer.step()
    return recipe


@pytest.mark.parametrize("weights", [{"fine": 1.0, "coarse": 1.0}, {"fine": 0.3, "coarse": 20.0}])
def test_sigma_converges_to_the_noise_whatever_the_set_weights(weights):
    recipe = fitted(weights)
    for name, noise in NOISES.items():
        sigma = torch.exp(0.5 * recipe.balancer.log_variance[name].detach())
        assert float(sigma) == pytest.approx(noise, rel=0.03)
        assert recipe.terms[name].fn.scale.item() == pytest.approx(2, abs=0.05)
    # At the optimum a term weighs half its inverse variance, times what it was set to.
    scalars = recipe({}, 0).scalars()
    for name, noise in NOISES.items():
        assert scalars[f"balance/{name}"] == pytest.approx(0.5 / noise**2, rel=0.06)
        assert scalars[f"weight/{name}"] == pytest.approx(
            weights[name] * scalars[f"balance/{name}"]
        )


def loss_of_4():
    return torch.tensor(4.0)


def test_the_total_is_half_the_scaled_losses_and_half_the_log_variances():
    balancer = Uncertainty()
    recipe = LossRecipe({"a": {"fn": loss_of_4, "weight": 3.0}}, balancer)
    with torch.no_grad():
        balancer.log_variance["a"].fill_(0.7)
    s = torch.tensor(0.7)
    expected = 3 * (0.5 * torch.exp(-s) * 4 + s / 2)
    report = recipe({}, 0)
    torch.testing.assert_close(report.total.detach(), expected)
    scalars = report.scalars()
    assert scalars["balancer/penalty"] == pytest.approx(3 * 0.35, rel=1e-5)
    assert scalars["loss/total"] == pytest.approx(float(expected))


def test_a_loss_of_0_gets_a_bounded_weight():
    recipe = LossRecipe({"a": {"fn": lambda: torch.zeros(())}}, Uncertainty(floor=1e-2))
    optimizer = torch.optim.Adam(recipe.trainable_parameters(), lr=0.05)
    for step in range(600):
        optimizer.zero_grad()
        recipe({}, step).total.backward()
        optimizer.step()
    assert recipe({}, 0).scalars()["balance/a"] == pytest.approx(0.5 / 1e-2, rel=0.02)


def test_an_inactive_term_learns_nothing():
    specs = {
        "a": {"fn": loss_of_4},
        "late": {"fn": loss_of_4, "schedule": schedules.after(10)},
    }
    recipe = LossRecipe(specs, Uncertainty())
    recipe({}, 0).total.backward()
    gradients = {name: s.grad for name, s in recipe.balancer.log_variance.items()}
    assert gradients["late"] is None
    # By s: -1/2 exp(-s) L + 1/2, at s = 0 and L = 4.
    assert float(gradients["a"]) == pytest.approx(-1.5, rel=1e-5)


def test_the_order_of_parameters_does_not_depend_on_that_of_the_terms():
    terms = {name: {"fn": loss_of_4} for name in ("b", "a", "c")}
    forwards = LossRecipe(terms, Uncertainty())
    backwards = LossRecipe(dict(reversed(terms.items())), Uncertainty())
    assert list(forwards.state_dict()) == list(backwards.state_dict())
    assert len(forwards.trainable_parameters()) == 3


def test_a_floor_that_is_not_above_0_is_refused():
    with pytest.raises(ValueError, match=r"loss\.balancer\.floor has to be a finite number above"):
        Uncertainty(floor=0.0)
