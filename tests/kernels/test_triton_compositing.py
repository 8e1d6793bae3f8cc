"""Opacities and weights by Triton are those of the formulas, and so are their derivatives."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton", reason="triton is made for Linux alone")

from nerfloss.kernels import compositing as wired
from nerfloss.kernels.triton import compositing as triton_compositing
from nerfloss.kernels.triton import compositing_weights
from nerfloss.kernels.triton import density_alpha as triton_density_alpha
from nerfloss.maths import compositing, sdf_opacity

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def close(found: Tensor, expected: Tensor, tolerance: float = 2e-5) -> None:
    limit = tolerance * float(expected.abs().amax().clamp_min(1)) if expected.numel() else 0.0
    torch.testing.assert_close(found.to(expected.dtype), expected, rtol=0, atol=limit)


@pytest.fixture
def samples() -> dict[str, Tensor]:
    """Samples of rays on both sides of a surface, some of them without length."""
    rays, count = 37, 30
    starts = torch.rand(rays, count, device=DEVICE)
    length = 0.1 * torch.rand(rays, count, device=DEVICE)
    length[:, 25:] = 0
    return {
        "sdf": 0.3 * torch.randn(rays, count, device=DEVICE),
        "gradients": torch.randn(rays, count, 3, device=DEVICE),
        "directions": torch.nn.functional.normalize(torch.randn(rays, 3, device=DEVICE), dim=-1),
        "t_starts": starts,
        "t_ends": starts + length,
        "sharpness": torch.tensor(25.0, device=DEVICE),
    }


def agree(wired: Callable, defined: Callable, given: dict[str, Tensor], learned: str) -> None:
    """The wired function has the values of the definition in float64, and its derivatives."""
    found = []
    for function, dtype in ((wired, torch.float32), (defined, torch.float64)):
        own = {name: each.to(dtype) for name, each in given.items()}
        moving = [own[name].requires_grad_() for name in learned.split()]
        values = function(**own)
        total = torch.linspace(-1, 1, values.numel(), device=DEVICE, dtype=dtype)
        to = torch.autograd.grad(values, moving, total.view_as(values))
        found.append([values, *to])
    assert computed_by_triton(found[0][0])
    for ours, exact in zip(*found, strict=True):
        close(ours.detach(), exact.detach())


def computed_by_triton(values: Tensor) -> bool:
    """Return True where Triton computed the values: the formula would give the same."""
    kernel = getattr(values.grad_fn, "kernel", None)
    return kernel in (triton_compositing, triton_density_alpha)


@pytest.mark.parametrize("laid_out", ["rows", "columns"])
@pytest.mark.parametrize("anneal_ratio", [0.0, 0.3, 1.0])
def test_neus_opacity_and_its_derivatives(
    samples: dict[str, Tensor], anneal_ratio: float, laid_out: str
) -> None:
    if laid_out == "columns":  # as the field hands gradients over: an axis after the other
        gradients = samples["gradients"].reshape(-1, 3).t().contiguous().t()
        samples["gradients"] = gradients.reshape(37, 30, 3)
        assert samples["gradients"].stride() == (30, 1, 37 * 30)
    annealed = {"progress": anneal_ratio, "anneal_end": 1.0}
    agree(
        partial(wired.neus_alphas, backend="triton", **annealed),
        partial(sdf_opacity.neus_alphas, **annealed),
        samples,
        "sdf gradients sharpness",
    )


def test_gradients_keep_the_memory_layout_of_their_input(samples: dict[str, Tensor]) -> None:
    columns = torch.randn(3, 37 * 30, device=DEVICE).t().reshape(37, 30, 3).requires_grad_()
    given = samples | {"gradients": columns}
    alphas = wired.neus_alphas(**given, progress=1.0, backend="triton")
    (to,) = torch.autograd.grad(alphas.sum(), columns)
    assert to.stride() == columns.stride()


def test_opacity_of_densities_and_its_derivatives(samples: dict[str, Tensor]) -> None:
    given = {name: samples[name] for name in ("t_starts", "t_ends")}
    given["densities"] = 40 * samples["sdf"].abs() ** 3
    triton = partial(wired.density_alphas, backend="triton")
    agree(triton, compositing.density_alphas, given, "densities")


def test_opacity_by_volsdf_and_its_derivatives(samples: dict[str, Tensor]) -> None:
    def defined(sdf: Tensor, t_starts: Tensor, t_ends: Tensor, sharpness: Tensor) -> Tensor:
        densities = sdf_opacity.volsdf_densities(sdf, sharpness)
        return compositing.density_alphas(densities, t_starts, t_ends)

    given = {name: samples[name] for name in ("sdf", "t_starts", "t_ends", "sharpness")}
    agree(partial(wired.volsdf_alphas, backend="triton"), defined, given, "sdf sharpness")


def test_small_opacities_keep_their_digits() -> None:
    thin = torch.full((1, 4), 1e-9, device=DEVICE)
    ends = torch.ones_like(thin)
    alphas = wired.density_alphas(thin, ends - 1, ends, backend="triton")
    torch.testing.assert_close(alphas, thin, rtol=1e-6, atol=0)


@pytest.mark.parametrize("shape", [(5, 7, 3), (300, 10, 1), (2, 40, 17)])
def test_weighted_sums_and_their_derivatives(shape: tuple[int, int, int]) -> None:
    given = {
        "weights": torch.rand(shape[:2], device=DEVICE),
        "values": torch.randn(shape, device=DEVICE),
    }
    triton = partial(wired.composited, backend="triton")
    agree(triton, compositing.composited, given, "weights values")


def test_rays_without_samples() -> None:
    nothing = torch.zeros(4, 0, device=DEVICE, requires_grad=True)
    seen = wired.composited(nothing, torch.zeros(4, 0, 3, device=DEVICE), backend="triton")
    assert torch.equal(seen, torch.zeros(4, 3, device=DEVICE))
    seen.sum().backward()
    assert wired.compositing_weights(nothing, backend="triton").shape == (4, 0)


@pytest.mark.parametrize("shape", [(0, 8), (1, 1), (5, 7), (70, 40), (3, 300)])
def test_weights_and_their_derivative(shape: tuple[int, int]) -> None:
    alphas = torch.rand(shape, device=DEVICE) ** 3
    alphas[::3, -1:] = 1.0  # opaque
    to = torch.randn(shape, device=DEVICE)
    own, exact = alphas.clone().requires_grad_(), alphas.double().requires_grad_()
    found = wired.compositing_weights(own, backend="triton")
    expected = compositing.compositing_weights(exact)
    assert computed_by_triton(found)
    close(found.detach(), expected.detach())
    (right,) = torch.autograd.grad(expected, exact, to.double())
    close(torch.autograd.grad(found, own, to)[0], right)


def test_behind_a_sample_that_is_nearly_opaque_the_derivative_keeps_its_digits() -> None:
    alphas = torch.full((4, 16), 0.3, device=DEVICE)
    alphas[:, 5] = 1 - 2e-6
    to = torch.randn(4, 16, device=DEVICE)
    exact = alphas.double().requires_grad_()
    (right,) = torch.autograd.grad(compositing.compositing_weights(exact), exact, to.double())
    close(compositing_weights.weights_backward(alphas, to), right)


def test_samples_behind_an_opaque_one_have_no_gradient() -> None:
    alphas = torch.full((1, 8), 0.5, device=DEVICE)
    alphas[:, 3] = 1.0
    found = compositing_weights.weights_backward(alphas, torch.ones_like(alphas))
    assert float(found[:, 4:].abs().max()) < 1e-6
    assert bool(found.isfinite().all())
