"""Triton's hash grid computes what the reference does: on a GPU, else as Python, interpreted.

Whatever a kernel is given to write into is NaN before, so that what it leaves out is found.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_grid_kernels import assert_same, problem, results
from torch import Tensor

pytest.importorskip("triton", reason="triton is made for Linux alone")

from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.sdf_network import SDFNetwork
from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.hash_grid import encode, select_kernel
from nerfloss.kernels.reference import hash_grid as reference
from nerfloss.kernels.triton import grid_gather, grid_scatter
from nerfloss.kernels.triton import hash_grid as triton_grid
from nerfloss.kernels.triton.tuning import Tuning

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
# One level of each kind: dense, and hashed with many collisions.
LAYOUT = GridLayout(levels=2, features=2, log2_hashmap_size=7, base_resolution=3, max_resolution=17)
# numpy, which interprets the kernels, warns of what they do on purpose with NaN and infinity.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture(autouse=True)
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that nothing was written to is NaN."""
    empty: Callable[..., Tensor] = torch.empty

    def full_of_nan(*size: Any, **options: Any) -> Tensor:
        new = empty(*size, **options)
        return new.fill_(torch.nan) if new.is_floating_point() else new

    monkeypatch.setattr(torch, "empty", full_of_nan)


def by_triton(given: dict[str, Tensor], layout: GridLayout = LAYOUT, active: int = 2) -> dict:
    """What the kernels make of a problem, computed where they run."""
    found = results(triton_grid, {k: v.to(DEVICE) for k, v in given.items()}, layout, active)
    return {name: value.cpu() for name, value in found.items()}


def rays(count: int, samples: int) -> Tensor:
    """Points in the order of rays: neighbours share cells."""
    ends = torch.rand(2, count, 1, 3)
    along = torch.linspace(0, 1, samples)[:, None]
    return (ends[0] + along * (ends[1] - ends[0])).reshape(-1, 3)


@pytest.mark.parametrize("features", [1, 2, 3, 8])
def test_it_agrees_for_every_number_of_features(features: int) -> None:
    layout = GridLayout(
        levels=2, features=features, log2_hashmap_size=7, base_resolution=3, max_resolution=17
    )
    given = problem(30, layout)
    assert_same(by_triton(given, layout), results(reference, given, layout, 2))


def test_it_agrees_on_points_in_the_order_of_rays_over_several_blocks() -> None:
    given = problem(2 * 70) | {"points": rays(2, 70)}
    channels = LAYOUT.channels
    given |= {name: given[name][:, :channels] for name in ("grad", "jvp_grad")}
    given["table"] = torch.randn(LAYOUT.entries, 2)
    assert_same(by_triton(given), results(reference, given, LAYOUT, 2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sums_over_half_precision_tables_are_float32(dtype: torch.dtype) -> None:
    given = problem(30, LAYOUT)
    given["table"] = given["table"].to(dtype)
    found = by_triton(given)
    assert {value.dtype for value in found.values()} == {torch.float32}
    exact = given | {"table": given["table"].float()}
    assert_same(found, results(reference, exact, LAYOUT, 2))


@pytest.mark.parametrize("active", [0, 1])
def test_levels_that_are_not_active_give_zero_and_receive_nothing(active: int) -> None:
    given = problem(50, LAYOUT)
    found = by_triton(given, active=active)
    assert_same(found, results(reference, given, LAYOUT, active))
    assert not found["features"][:, active * 2 :].any()
    assert not found["scatter_both"][LAYOUT.grids[active].offset :].any()


@pytest.mark.parametrize("count", [0, 1, 128, 129])
def test_it_agrees_for_any_number_of_points(count: int) -> None:
    given = problem(count, LAYOUT)
    assert_same(by_triton(given), results(reference, given, LAYOUT, 2))


def test_it_agrees_on_vertices_and_on_the_border() -> None:
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1 / 3, 0.5, 1.0])] * 3)
    given = problem(len(corners), LAYOUT) | {"points": corners}
    assert_same(by_triton(given), results(reference, given, LAYOUT, 2))


def test_nan_points_give_nan_and_change_no_other_point() -> None:
    given = problem(30, LAYOUT)
    clean = by_triton(given)
    points = given["points"].clone()
    points[::7] = torch.nan
    points[3::7, 1] = torch.nan
    points[5] = torch.inf
    spoiled, bad = by_triton(given | {"points": points}), ~points.isfinite().all(-1)
    for name in ("features", "vjp", "jvp"):
        assert spoiled[name][bad].isnan().any(-1).all(), name
        torch.testing.assert_close(spoiled[name][~bad], clean[name][~bad], msg=name)


def test_tensors_that_are_not_contiguous_are_read_by_their_strides() -> None:
    given = problem(40, LAYOUT)
    strided = {}
    for name, value in given.items():
        wide = torch.full((value.shape[0], 2 * value.shape[1]), torch.nan)
        wide[:, ::2] = value
        strided[name] = wide[:, ::2]
    assert_same(by_triton(strided), by_triton(given))


def test_derivatives_of_encode_are_exact() -> None:
    given = problem(3, LAYOUT, torch.float64)
    points = (1.2 * given["points"] - 0.1).to(DEVICE).requires_grad_()
    table = given["table"].to(DEVICE).requires_grad_()
    at = (LAYOUT, 1, "triton")
    options = {"fast_mode": True, "nondet_tol": 1e-9}
    assert torch.autograd.gradcheck(lambda p, t: encode(p, t, *at), (points, table), **options)


def test_a_half_table_receives_a_gradient_of_its_own_kind() -> None:
    table = torch.randn(LAYOUT.entries, 2, device=DEVICE).half().requires_grad_()
    encode(torch.rand(20, 3, device=DEVICE), table, LAYOUT, None, "triton").sum().backward()
    assert table.grad is not None
    assert table.grad.dtype == torch.float16
    assert float(table.grad.float().sum()) == pytest.approx(20 * LAYOUT.channels, rel=1e-2)


@pytest.mark.parametrize(
    "tuning",
    [Tuning(crowded=0, copies=4), Tuning(level_outer=False, block=64), Tuning(crowded=10**9)],
    ids=["copies", "level inner", "no copies"],
)
def test_tuning_changes_no_result(tuning: Tuning) -> None:
    given = {k: v.to(DEVICE) for k, v in problem(150, LAYOUT).items()}
    x, table, grad, tangent, jvp_grad = given.values()
    at = (LAYOUT, 2)
    found = grid_scatter.scatter(x, grad, tangent, jvp_grad, *at, tuning=tuning)
    expected = reference.scatter(x, grad, tangent, jvp_grad, *at)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)
    found, _ = grid_gather.gather(x, table, None, *at, jacobian=False, tuning=tuning)
    torch.testing.assert_close(found, reference.features(x, table, *at), rtol=1e-4, atol=1e-5)


def test_only_crowded_levels_have_copies_and_they_fit() -> None:
    layout = GridLayout(
        levels=16, features=2, log2_hashmap_size=19, base_resolution=16, max_resolution=2048
    )
    copies = Tuning().copies_of(layout, 2**20)
    assert copies[0] == 32
    assert copies[-1] == 1
    assert list(copies) == sorted(copies, reverse=True)
    for grid, each in zip(layout.grids, copies, strict=True):
        assert each == 1 or grid.entries * each <= Tuning().private_rows
    assert set(Tuning().copies_of(layout, 100)) == {1}


def test_gradients_can_be_accumulated_in_half_precision() -> None:
    x, _, grad, _, _ = (each.to(DEVICE) for each in problem(60, LAYOUT).values())
    found = grid_scatter.scatter(x, grad, None, None, LAYOUT, 2, dtype=torch.float16)
    assert found.dtype == torch.float16
    expected = reference.scatter(x, grad, None, None, LAYOUT, 2)
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=2e-2)


def test_a_distance_and_its_gradient_have_the_derivatives_that_the_reference_gives() -> None:
    sizes = {"levels": 2, "log2_hashmap_size": 7, "base_resolution": 3, "max_resolution": 17}
    network = SDFNetwork(HashGrid(**sizes, backend="triton"), width=8).to(DEVICE)
    points = torch.rand(40, 3, device=DEVICE) - 0.5

    def derivatives(backend: str) -> list[Tensor]:
        network.grid.backend = backend
        sdf, embedding, gradients = network.with_gradients(points)
        outputs = torch.cat([sdf[:, None], embedding], -1)
        loss = outputs.square().mean() + (gradients.norm(dim=-1) - 1).square().mean()
        return list(torch.autograd.grad(loss, list(network.parameters())))

    assert select_kernel("triton", network.grid.table) is triton_grid
    for found, expected in zip(derivatives("triton"), derivatives("reference"), strict=True):
        close = 1e-4 * float(expected.abs().max())
        torch.testing.assert_close(found, expected, rtol=0, atol=close)
