"""The SDF network starts as a sphere, and its outputs have exact derivatives."""

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.sdf_network import SDFNetwork


class WithGradients(nn.Module):
    """`SDFNetwork.with_gradients` as a module, for `functional_call`."""

    def __init__(self, network: SDFNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.network.with_gradients(points)


def small(backend: str = "auto", hidden: int = 1, *, color_from_grid: bool = False) -> SDFNetwork:
    """Return a network with random parameters, in double precision."""
    grid = HashGrid(
        levels=3, log2_hashmap_size=5, base_resolution=2, max_resolution=5, backend=backend
    )
    grid.set_box(torch.tensor([[-1.0, -0.8, -0.7], [0.9, 0.7, 0.8]]))
    grid.set_active(2)
    sizes = {"hidden": hidden, "width": 4, "embedding": 2, "beta": 3.0}
    network = SDFNetwork(grid, **sizes, color_from_grid=color_from_grid).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    return network


@pytest.mark.parametrize("color_from_grid", [False, True])
@pytest.mark.parametrize("hidden", [1, 2])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_derivatives_of_outputs_and_gradients_are_exact(
    backend: str, hidden: int, color_from_grid: bool
) -> None:
    network = WithGradients(small(backend, hidden, color_from_grid=color_from_grid))
    names, values = zip(*network.named_parameters(), strict=True)
    points = torch.rand(4, 3, dtype=torch.float64) * 2 - 1
    points[0] = torch.tensor([1.5, 0.1, -0.9])  # outside the box
    points.requires_grad_()

    def call(points: Tensor, *values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return functional_call(network, dict(zip(names, values, strict=True)), (points,))

    assert torch.autograd.gradcheck(call, (points, *values))


@pytest.mark.parametrize("color_from_grid", [False, True])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_forward_without_gradients_has_the_same_outputs_and_exact_derivatives(
    backend: str, color_from_grid: bool
) -> None:
    network = small(backend, color_from_grid=color_from_grid)
    points = (torch.rand(5, 3, dtype=torch.float64) * 2 - 1).requires_grad_()
    torch.testing.assert_close(network(points), network.with_gradients(points)[:2])
    assert torch.autograd.gradcheck(network, (points,))


@pytest.mark.parametrize("color_from_grid", [False, True])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_the_distance_alone_is_the_first_output_with_exact_derivatives(
    backend: str, color_from_grid: bool
) -> None:
    network = small(backend, hidden=2, color_from_grid=color_from_grid)
    points = torch.rand(5, 3, dtype=torch.float64) * 2 - 1
    torch.testing.assert_close(network.distance(points), network(points)[0])
    network.distance(points).sum().backward()
    found = [parameter.grad for parameter in network.parameters()]
    expected = torch.autograd.grad(network(points)[0].sum(), list(network.parameters()))
    torch.testing.assert_close(found, list(expected))


def test_the_features_of_the_grid_follow_the_channels_of_the_network() -> None:
    network = small(color_from_grid=True)
    points = torch.rand(5, 3, dtype=torch.float64) * 2 - 1
    _, embedding = network(points)
    assert embedding.shape == (5, network.embedding) == (5, 2 + network.grid.channels)
    torch.testing.assert_close(embedding[:, 2:], network.grid(points))
    network.color_from_grid = False
    torch.testing.assert_close(network(points)[1], embedding[:, :2])


def test_the_gradient_is_that_of_the_distance() -> None:
    network = small()
    points = (torch.rand(50, 3, dtype=torch.float64) * 2 - 1).requires_grad_()
    (expected,) = torch.autograd.grad(network(points)[0].sum(), points)
    torch.testing.assert_close(network.with_gradients(points)[2], expected)


def test_backends_have_equal_gradients_in_single_precision() -> None:
    gradients = []
    points = torch.rand(2000, 3) * 2 - 1
    for backend in ("cpu", "reference"):
        torch.manual_seed(1)
        network = SDFNetwork(HashGrid(backend=backend, log2_hashmap_size=12))
        nn.init.uniform_(network.grid.table, -0.1, 0.1)
        sdf, embedding, normals = network.with_gradients(points)
        outputs = torch.cat([sdf[:, None], embedding], -1)
        loss = outputs.square().mean() + (normals.norm(dim=-1) - 1).square().mean()
        gradients.append(torch.autograd.grad(loss, list(network.parameters())))
    for actual, expected in zip(*gradients, strict=True):
        scale = float(expected.abs().max())
        torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4 * scale)


@pytest.mark.parametrize("hidden", [1, 2])
@pytest.mark.parametrize("radius", [0.3, 0.5])
def test_initial_distance_is_that_of_a_sphere(hidden: int, radius: float) -> None:
    network = SDFNetwork(HashGrid(log2_hashmap_size=12), hidden=hidden, radius=radius)
    points = nn.functional.normalize(torch.randn(5000, 3)) * torch.rand(5000, 1).add(0.1)
    sdf, _, gradients = network.with_gradients(points)
    error = (sdf - (points.norm(dim=-1) - radius)).abs()
    assert error.mean() < 0.02
    assert error.max() < 0.08
    length = gradients.norm(dim=-1)
    assert (length - 1).abs().mean() < 0.05
    outward = nn.functional.cosine_similarity(gradients, points, dim=-1)
    assert outward.mean() > 0.99


def test_inside_out_distance_is_positive_inside() -> None:
    network = SDFNetwork(HashGrid(log2_hashmap_size=12), inside_out=True)
    points = torch.tensor([[0.1, 0.0, 0.0], [0.0, 0.9, 0.0]])
    expected = 0.5 - points.norm(dim=-1)
    torch.testing.assert_close(network(points)[0], expected, rtol=0, atol=0.08)


def test_no_grad_disables_the_backward_pass() -> None:
    with torch.no_grad():
        outputs = small().with_gradients(torch.rand(3, 3, dtype=torch.float64))
    assert not any(each.requires_grad for each in outputs)


def test_a_retained_graph_can_be_differentiated_again() -> None:
    network = small()
    sdf, embedding, gradients = network.with_gradients(torch.rand(9, 3, dtype=torch.float64))
    loss = sdf.sum() + embedding.sum() + gradients.square().sum()
    first = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
    again = torch.autograd.grad(loss, list(network.parameters()))
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one, other)


def test_no_points_give_no_outputs() -> None:
    network = SDFNetwork(HashGrid(log2_hashmap_size=12))
    sdf, embedding, gradients = network.with_gradients(torch.empty(0, 3))
    (sdf.sum() + embedding.sum() + gradients.sum()).backward()
    assert sdf.shape == (0,)
    assert embedding.shape == (0, 15)
    assert gradients.shape == (0, 3)


def test_frozen_layers_receive_no_gradient() -> None:
    network = small()
    network.layers.requires_grad_(False)
    _, _, gradients = network.with_gradients(torch.rand(9, 3, dtype=torch.float64))
    gradients.sum().backward()
    assert network.layers[0].weight.grad is None
    assert network.grid.table.grad is not None


def test_a_network_needs_a_hidden_layer() -> None:
    with pytest.raises(ValueError, match="hidden >= 1, got hidden=0"):
        SDFNetwork(HashGrid(log2_hashmap_size=12), hidden=0)
