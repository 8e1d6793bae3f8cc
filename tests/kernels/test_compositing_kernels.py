"""Compiled opacity and compositing agree with their definitions, values and derivatives."""

import pytest
import torch
from torch import Tensor

from nerfloss.kernels import compositing
from nerfloss.maths import compositing as defined
from nerfloss.maths import sdf_opacity


def along_rays() -> dict[str, Tensor]:
    """Return intervals that enter a surface, leave one, or are deep inside; some are empty."""
    rays, samples = 40, 9
    edges = torch.cumsum(torch.rand(rays, samples + 1) * 0.1, -1)
    edges[:, -1] = edges[:, -2]
    directions = torch.nn.functional.normalize(torch.randn(rays, 3), dim=-1)
    return {
        "sdf": torch.randn(rays, samples) * 0.1,
        "gradients": torch.randn(rays, samples, 3),
        "directions": directions,
        "t_starts": edges[:, :-1],
        "t_ends": edges[:, 1:],
    }


@pytest.mark.parametrize("sharpness", [5.0, 60.0, 2000.0])
@pytest.mark.parametrize("progress", [0.0, 0.04, 1.0])
def test_neus_opacity_and_its_derivatives_are_those_of_the_definition(
    sharpness: float, progress: float
) -> None:
    given = along_rays() | {"sharpness": torch.tensor(sharpness)}
    learned = ("sdf", "gradients", "sharpness")
    found = []
    for function, dtype in (
        (compositing.neus_alphas, torch.float32),
        (sdf_opacity.neus_alphas, torch.float64),
    ):
        arguments = {name: value.to(dtype) for name, value in given.items()}
        for name in learned:
            arguments[name].requires_grad_()
        alphas = function(**arguments, progress=progress, anneal_end=0.1)
        total = (alphas * torch.linspace(-1, 1, alphas.numel()).view_as(alphas)).sum()
        derivatives = torch.autograd.grad(total, [arguments[name] for name in learned])
        found.append([alphas, *derivatives])
    for ours, exact in zip(*found, strict=True):
        scale = exact.abs().max()
        torch.testing.assert_close(ours.double() / scale, exact / scale, rtol=0, atol=2e-4)


def test_weights_and_their_derivatives_are_those_of_the_definition() -> None:
    alphas = torch.rand(50, 12)
    alphas[0, 3], alphas[1] = 1.0, 0.0
    found = []
    for function, dtype in (
        (compositing.compositing_weights, torch.float32),
        (defined.compositing_weights, torch.float64),
    ):
        own = alphas.to(dtype).requires_grad_()
        weights = function(own)
        (derivative,) = torch.autograd.grad((weights * torch.arange(12)).sum(), own)
        found.append((weights, derivative))
    for ours, exact in zip(*found, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-5, atol=1e-5)


def test_weighted_sums_and_their_derivatives_are_those_of_the_definition() -> None:
    weights, values = torch.rand(30, 7), torch.randn(30, 7, 5)
    found = []
    for function, dtype in (
        (compositing.composited, torch.float32),
        (defined.composited, torch.float64),
    ):
        given = [each.to(dtype).requires_grad_() for each in (weights, values)]
        seen = function(*given)
        total = (seen * torch.linspace(-1, 1, seen.numel()).view_as(seen)).sum()
        found.append((seen, *torch.autograd.grad(total, given)))
    for ours, exact in zip(*found, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-5, atol=1e-5)


def test_directions_that_require_gradients_are_differentiated() -> None:
    given = along_rays()
    given["directions"].requires_grad_()
    alphas = compositing.neus_alphas(**given, sharpness=torch.tensor(20.0), progress=1.0)
    (derivative,) = torch.autograd.grad(alphas.sum(), given["directions"])
    assert derivative.abs().sum() > 0


def test_no_rays_are_no_error() -> None:
    empty = torch.empty(0, 8, requires_grad=True)
    compositing.compositing_weights(empty).sum().backward()
    assert compositing.composited(empty, torch.empty(0, 8, 3)).shape == (0, 3)
    assert compositing.compositing_weights(empty).shape == (0, 8)
