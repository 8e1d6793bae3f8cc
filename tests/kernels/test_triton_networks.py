"""Networks by Triton have the values and derivatives of the formulas in double precision."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton", reason="triton is made for Linux alone")

from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.sdf_network import SDFNetwork
from nerfloss.kernels import network_backend as networks
from nerfloss.kernels import sdf_mlp
from nerfloss.kernels.mlp import apply_mlp
from nerfloss.kernels.triton import mlp as triton_mlp
from nerfloss.kernels.triton import sdf_mlp as triton_sdf_mlp
from nerfloss.kernels.triton import tuning as triton_tuning
from nerfloss.kernels.triton.layers import Sharing, fits

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
SHAPES = [((5, 7, 3), 3), ((19, 64, 16), 150), ((35, 64, 64, 16), 130), ((34, 33, 33, 3), 64)]
# Two programs, so that each takes several turns and their sums have to be added.
FEW = Sharing(points=16, programs=2)


def parameters_of(sizes: tuple[int, ...]) -> list[Tensor]:
    layers = [
        (torch.randn(outer, inner, device=DEVICE) / inner**0.5, torch.randn(outer, device=DEVICE))
        for inner, outer in pairwise(sizes)
    ]
    return [each for layer in layers for each in layer]


def assert_agree(found: list[Tensor], expected: list[Tensor]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        scale = theirs.abs().max().clamp_min(1e-6) if theirs.numel() else 1
        torch.testing.assert_close(ours.double() / scale, theirs / scale, rtol=0, atol=3e-5)


@pytest.mark.parametrize("pulled", [True, False])
@pytest.mark.parametrize(("sizes", "count"), SHAPES)
def test_a_distance_network_agrees_with_its_formulas(
    sizes: tuple[int, ...], count: int, pulled: bool
) -> None:
    beta = 20.0
    # as a table of points hands them over: rows and points change places
    inputs, parameters = torch.randn(count, sizes[0], device=DEVICE).t(), parameters_of(sizes)
    assert fits(inputs, parameters)
    exact = [each.double() for each in (inputs, *parameters)]
    found = triton_sdf_mlp.forward(inputs, parameters, beta, pulled, FEW)
    expected = sdf_mlp.reference_forward(exact[0], exact[1:], beta, pulled)
    assert found[1].shape == expected[1].shape
    assert_agree(list(found), list(expected))
    given = [torch.randn(count, len(each), device=DEVICE).t() for each in found]
    to_inputs, to_parameters = triton_sdf_mlp.backward(inputs, parameters, beta, *given, FEW)
    right_inputs, right_parameters = sdf_mlp.reference_backward(
        exact[0], exact[1:], beta, *(each.double() for each in given)
    )
    assert_agree([to_inputs, *to_parameters], [right_inputs, *right_parameters])


@pytest.mark.parametrize("squash", [True, False])
@pytest.mark.parametrize(("sizes", "count"), SHAPES)
def test_a_network_with_relu_agrees_with_its_layers(
    sizes: tuple[int, ...], count: int, squash: bool
) -> None:
    inputs, parameters = torch.randn(sizes[0], count, device=DEVICE), parameters_of(sizes)
    exact = [each.double().requires_grad_() for each in (inputs, *parameters)]
    found = triton_mlp.forward(inputs, parameters, squash, FEW)
    expected = apply_mlp(exact[0], exact[1:], squash=squash)
    assert_agree([found], [expected.detach()])
    to = torch.randn(count, sizes[-1], device=DEVICE).t()
    squashed = found if squash else None
    to_inputs, to_parameters = triton_mlp.backward(inputs, parameters, to, squashed, FEW)
    right = torch.autograd.grad(expected, exact, to.double())
    assert_agree([to_inputs, *to_parameters], list(right))


def test_no_points_are_no_error() -> None:
    parameters, nothing = parameters_of((4, 6, 3)), torch.empty(4, 0, device=DEVICE)
    outputs, pull = triton_sdf_mlp.forward(nothing, parameters, 5.0, True)
    assert (outputs.shape, pull.shape) == ((3, 0), (4, 0))
    _, to_parameters = triton_sdf_mlp.backward(nothing, parameters, 5.0, outputs, pull)
    assert all((each == 0).all() for each in to_parameters)
    assert triton_mlp.forward(nothing, parameters).shape == (3, 0)


def test_nan_stays_nan() -> None:
    parameters = parameters_of((4, 6, 3))
    points = torch.randn(4, 3, device=DEVICE)
    points[0, 1] = float("nan")
    outputs, pull = triton_sdf_mlp.forward(points, parameters, 5.0, True)
    for found in (outputs, pull, triton_mlp.forward(points, parameters)):
        assert found.isnan().any(0).tolist() == [False, True, False]


@pytest.mark.parametrize("sizes", [(4, 65, 3), (70, 16, 3), (4, 16, 8, 3), (4, 8, 8, 8, 3)])
def test_other_sizes_do_not_fit(sizes: tuple[int, ...]) -> None:
    assert not fits(torch.randn(sizes[0], 2), parameters_of(sizes))


def test_the_librarys_products_serve_until_fused_networks_are_known_to_be_faster() -> None:
    given = torch.randn(4, 2, device=DEVICE), parameters_of((4, 8, 3))
    assert networks.passes("mlp", "triton", *given) is None


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if they had been found to be faster."""
    monkeypatch.setattr(triton_tuning, "FUSED_NETWORKS", True)


@pytest.mark.usefixtures("fused")
def test_where_they_are_they_serve_what_fits() -> None:
    points = torch.randn(4, 2, device=DEVICE)
    for kind, found in (("mlp", triton_mlp), ("sdf_mlp", triton_sdf_mlp)):
        assert networks.passes(kind, "triton", points, parameters_of((4, 8, 3))) is found
        assert networks.passes(kind, "triton", points, parameters_of((4, 65, 3))) is None
        assert networks.passes(kind, "reference", points, parameters_of((4, 8, 3))) is None


@pytest.mark.usefixtures("fused")
def test_a_fused_network_is_differentiated_through_its_public_function() -> None:
    parameters = [each.requires_grad_() for each in parameters_of((4, 8, 8, 3))]
    points = torch.randn(4, 20, device=DEVICE)
    found = [
        torch.autograd.grad(
            apply_mlp(points, parameters, squash=True, backend=backend).square().sum(), parameters
        )
        for backend in ("triton", "reference")
    ]
    assert_agree(list(found[0]), [each.double() for each in found[1]])


@pytest.mark.usefixtures("fused")
def test_a_signed_distance_learns_the_same_from_its_fused_network() -> None:
    found = []
    for backend in ("triton", "reference"):
        torch.manual_seed(1)
        grid = HashGrid(levels=2, log2_table=6, base=2, finest=4, backend=backend)
        network = SDFNetwork(grid, width=16, embedding=3).to(DEVICE)
        points = torch.rand(20, 3, device=DEVICE) - 0.5
        outputs, gradients = network.with_gradients(points)
        total = outputs.square().sum() + gradients.square().sum()
        found.append(torch.autograd.grad(total, list(network.parameters())))
    assert_agree(list(found[0]), [each.double() for each in found[1]])
