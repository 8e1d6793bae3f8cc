"""Opacities and weights by Triton are those of the formulas, and so are their derivatives."""

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton", reason="triton is made for Linux alone")

from nerfloss.kernels import triton_opacity, triton_weights
from nerfloss.maths import compositing, sdf_opacity

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def close(found: Tensor, expected: Tensor, tolerance: float = 2e-5) -> None:
    limit = tolerance * float(expected.abs().amax().clamp_min(1)) if expected.numel() else 0.0
    torch.testing.assert_close(found.to(expected.dtype), expected, rtol=0, atol=limit)


@pytest.fixture
def samples() -> dict[str, Tensor]:
    """Samples of rays on both sides of a surface, some of them without length."""
    count = (37, 30)
    length = 0.1 * torch.rand(count, device=DEVICE)
    length[:, 25:] = 0
    return {
        "sdf": 0.3 * torch.randn(count, device=DEVICE),
        "gradients": torch.randn(*count, 3, device=DEVICE),
        "directions": torch.nn.functional.normalize(torch.randn(37, 3, device=DEVICE), dim=-1),
        "length": length,
        "sharpness": torch.tensor(25.0, device=DEVICE),
        "to": torch.randn(count, device=DEVICE),
    }


@pytest.mark.parametrize("late", [0.0, 0.3, 1.0])
def test_neus_opacity_and_its_derivatives(samples: dict[str, Tensor], late: float) -> None:
    x = samples
    cosine = (x["gradients"] * x["directions"][:, None]).sum(-1)
    found = triton_opacity.neus_alphas(x["sdf"], cosine, x["length"], x["sharpness"], late)
    given = [each.double().requires_grad_() for each in (x["sdf"], x["gradients"], x["sharpness"])]
    sdf, gradients, sharpness = given
    starts = torch.zeros_like(sdf)
    annealed = {"progress": late, "anneal_end": 1.0}
    ends, directions = x["length"].double(), x["directions"].double()
    expected = sdf_opacity.neus_alphas(
        sdf, gradients, directions, starts, ends, sharpness, **annealed
    )
    close(found, expected.detach())
    right = torch.autograd.grad(expected, given, x["to"].double())
    at = (x["sdf"], cosine, x["length"], x["sharpness"], late, x["to"])
    to_sdf, to_cosine, to_sharpness = triton_opacity.neus_alphas_backward(*at)
    close(to_sdf, right[0])
    close(to_cosine[..., None] * x["directions"][:, None], right[1])
    close(to_sharpness, right[2])


@pytest.mark.parametrize("kind", ["density", "volsdf"])
def test_opacity_of_slabs_and_its_derivatives(samples: dict[str, Tensor], kind: str) -> None:
    values = samples["sdf"] if kind == "volsdf" else 40 * samples["sdf"].abs() ** 3
    sharpness = samples["sharpness"] if kind == "volsdf" else None
    length, to = samples["length"], samples["to"]
    found = triton_opacity.slab_alphas(values, length, sharpness)
    exact = values.double().requires_grad_()
    beta = samples["sharpness"].double().requires_grad_()
    density = sdf_opacity.volsdf_densities(exact, beta) if kind == "volsdf" else exact
    expected = compositing.density_alphas(density, torch.zeros_like(density), length.double())
    torch.testing.assert_close(found.double(), expected.detach(), rtol=1e-5, atol=1e-9)
    given = [exact, beta] if kind == "volsdf" else [exact]
    right = torch.autograd.grad(expected, given, to.double())
    found = triton_opacity.slab_alphas_backward(values, length, sharpness, to)
    close(found[0], right[0])
    if kind == "volsdf":
        assert found[1] is not None
        close(found[1], right[1])
    else:
        assert found[1] is None


@pytest.mark.parametrize("shape", [(0, 8), (1, 1), (5, 7), (70, 40), (3, 300)])
def test_weights_and_their_derivative(shape: tuple[int, int]) -> None:
    alphas = torch.rand(shape, device=DEVICE) ** 3
    alphas[::3, -1:] = 1.0  # opaque
    to = torch.randn(shape, device=DEVICE)
    exact = alphas.double().requires_grad_()
    expected = compositing.compositing_weights(exact)
    close(triton_weights.weights(alphas), expected.detach())
    (right,) = torch.autograd.grad(expected, exact, to.double())
    close(triton_weights.weights_backward(alphas, to), right)


def test_behind_a_sample_that_is_nearly_opaque_the_derivative_keeps_its_digits() -> None:
    alphas = torch.full((4, 16), 0.3, device=DEVICE)
    alphas[:, 5] = 1 - 2e-6
    to = torch.randn(4, 16, device=DEVICE)
    exact = alphas.double().requires_grad_()
    (right,) = torch.autograd.grad(compositing.compositing_weights(exact), exact, to.double())
    close(triton_weights.weights_backward(alphas, to), right)


def test_what_is_behind_an_opaque_sample_receives_nothing() -> None:
    alphas = torch.full((1, 8), 0.5, device=DEVICE)
    alphas[:, 3] = 1.0
    found = triton_weights.weights_backward(alphas, torch.ones_like(alphas))
    assert float(found[:, 4:].abs().max()) < 1e-6
    assert bool(found.isfinite().all())
