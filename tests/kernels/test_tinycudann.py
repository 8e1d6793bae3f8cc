"""tinycudann as a backend of the same operation, tested with a stand-in for it."""

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import tinycudann_stand_in
import torch
from test_grid_kernels import problem, results
from torch import Tensor

from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.sdf_network import SDFNetwork
from nerfloss.kernels import tinycudann as tcnn
from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.reference import hash_grid as reference

# Dense levels whose rows are no multiple of 8, and hashed ones.
LAYOUT = GridLayout(levels=4, features=2, log2_hashmap_size=9, base_resolution=3, max_resolution=24)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The backend, with the stand-in installed as tinycudann."""
    monkeypatch.setitem(sys.modules, "tinycudann", tinycudann_stand_in)
    tcnn._encoding.cache_clear()
    yield tcnn
    tcnn._encoding.cache_clear()


def inner(count: int) -> dict[str, Tensor]:
    """A problem whose points keep away from the cells' faces: there jacobian jump."""
    given = problem(count, LAYOUT)
    clear = torch.ones(count, dtype=torch.bool)
    for grid in LAYOUT.grids:
        share = (given["points"] * grid.resolution) % 1
        clear &= ((share > 1e-3) & (share < 1 - 1e-3)).all(-1)
    return {name: value[clear] if len(value) == count else value for name, value in given.items()}


@pytest.mark.parametrize("active", [0, 2, 4])
def test_it_agrees_with_the_reference(backend, active: int) -> None:
    given = inner(400)
    found = results(backend, given, LAYOUT, active)
    for name, expected in results(reference, given, LAYOUT, active).items():
        close = 2e-4 * float(expected.abs().max())  # the shift by half a cell costs a few bits
        torch.testing.assert_close(found[name], expected, rtol=0, atol=close, msg=name)


def test_half_precision_tables_are_read_as_such(backend) -> None:
    given = inner(200)
    given["table"] = given["table"].half()
    x, table, grad = (given[name] for name in ("points", "table", "grad"))
    found = backend.features(x, table, LAYOUT, 4)
    assert found.dtype == torch.float32
    expected = reference.features(x, table.float(), LAYOUT, 4)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-2)
    expected = reference.vjp(x, table.float(), grad, LAYOUT, 4)
    close = 1e-2 * float(expected.abs().max())
    torch.testing.assert_close(backend.vjp(x, table, grad, LAYOUT, 4), expected, rtol=0, atol=close)


def test_points_on_the_border_stay_inside_of_the_grid(backend) -> None:
    points = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    table, grad = torch.randn(LAYOUT.entries, 2), torch.randn(8, 8)
    found = backend.features(points, table, LAYOUT, 4)
    expected = reference.features(points, table, LAYOUT, 4)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)
    found = backend.vjp(points, table, grad, LAYOUT, 4)
    expected = reference.vjp(points, table, grad, LAYOUT, 4)
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-1)


def test_a_distance_and_its_gradient_train_through_first_derivatives_alone(
    backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in refuses to be differentiated twice: the explicit gradient never asks for it."""
    torch.manual_seed(0)
    network = SDFNetwork(
        HashGrid(
            levels=3, log2_hashmap_size=9, base_resolution=3, max_resolution=12, backend="reference"
        )
    )
    points = torch.rand(60, 3) - 0.5

    def derivatives() -> list[Tensor]:
        sdf, embedding, gradients = network.with_gradients(points)
        outputs = torch.cat([sdf[:, None], embedding], -1)
        loss = outputs.square().mean() + (gradients.norm(dim=-1) - 1).square().mean()
        return list(torch.autograd.grad(loss, list(network.parameters())))

    expected = derivatives()
    monkeypatch.setattr(HashGrid, "kernel", lambda _: backend)
    for found, right in zip(derivatives(), expected, strict=True):
        close = 1e-3 * float(right.abs().max())
        torch.testing.assert_close(found, right, rtol=0, atol=close)


@pytest.mark.gpu
@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 5e-3), (torch.float16, 2e-2)])
def test_tinycudann_itself_computes_it_where_it_is_installed(
    dtype: torch.dtype, allowed: float
) -> None:
    pytest.importorskip("tinycudann", reason="it is built on one's own machine, with nvcc")
    given = {name: value.cuda() for name, value in inner(4000).items()}
    given["table"] = given["table"].to(dtype)
    expected = results(reference, given | {"table": given["table"].float()}, LAYOUT, 4)
    for name, found in results(tcnn, given, LAYOUT, 4).items():
        error = float((found - expected[name]).norm() / expected[name].norm())
        assert error < allowed, f"{name}: {error}"
