"""Every hash-grid kernel agrees with naive loops and has exact derivatives."""

from types import ModuleType

import pytest
import torch
from torch import Tensor

from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.hash_grid import encode
from nerfloss.kernels.numba import hash_grid as numba_hash_grid
from nerfloss.kernels.reference import hash_grid as reference

LAYOUT = GridLayout(levels=5, features=2, log2_hashmap_size=9, base_resolution=3, max_resolution=40)
KERNELS = pytest.mark.parametrize("kernel", [numba_hash_grid, reference], ids=["cpu", "reference"])


def naive_features(point: Tensor, table: Tensor, layout: GridLayout) -> list[float]:
    """Compute one point's features, corner by corner, with Python's integers."""
    found = []
    for grid in layout.grids:
        scaled = [float(x) * grid.resolution for x in point]
        cell = [min(int(x), grid.resolution - 1) for x in scaled]
        total = torch.zeros(layout.features, dtype=torch.float64)
        for dx, dy, dz in [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]:
            x, y, z = cell[0] + dx, cell[1] + dy, cell[2] + dz
            weight = 1.0
            for side, corner, at in zip((dx, dy, dz), cell, scaled, strict=True):
                weight *= (at - corner) if side else 1 - (at - corner)
            if grid.dense:
                row = x + (grid.resolution + 1) * (y + (grid.resolution + 1) * z)
            else:
                hashed = x ^ (y * 2654435761) % 2**32 ^ (z * 805459861) % 2**32
                row = hashed % grid.entries
            total += weight * table[grid.offset + row].double()
        found += total.tolist()
    return found


def problem(
    count: int, layout: GridLayout = LAYOUT, dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """Return random arguments of all operations."""
    channels = layout.channels
    return {
        "points": torch.rand(count, 3, dtype=dtype),
        "table": torch.randn(layout.entries, layout.features, dtype=dtype),
        "grad": torch.randn(count, channels, dtype=dtype),
        "tangent": torch.randn(count, 3, dtype=dtype),
        "jvp_grad": torch.randn(count, channels, dtype=dtype),
    }


def results(
    kernel: ModuleType, given: dict[str, Tensor], layout: GridLayout = LAYOUT, active: int = 5
) -> dict[str, Tensor]:
    """What a kernel's operations make of a problem."""
    x, table, grad, tangent, jvp_grad = given.values()
    together, jacobian = kernel.features_and_jacobian(x, table, layout, active)
    return {
        "features with jacobian": together,
        "J^T g from jacobian": kernel.vjp_from_jacobian(jacobian, grad),
        "J v from jacobian": kernel.jvp_from_jacobian(jacobian, tangent),
        "features": kernel.features(x, table, layout, active),
        "vjp": kernel.vjp(x, table, grad, layout, active),
        "jvp": kernel.jvp(x, table, tangent, layout, active),
        "hvp": kernel.hvp(x, table, grad, tangent, layout, active),
        "scatter": kernel.scatter(x, grad, None, None, layout, active),
        "scatter_both": kernel.scatter(x, grad, tangent, jvp_grad, layout, active),
    }


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Equal to a few roundings of the largest value: derivatives are sums that cancel."""
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        finite = value[value.isfinite()].abs()
        largest = float(finite.max()) if len(finite) else 1.0
        tolerance = 20 * torch.finfo(value.dtype).eps * max(largest, 1.0)
        torch.testing.assert_close(
            found[name],
            value,
            rtol=0,
            atol=tolerance,
            equal_nan=True,
            msg=lambda text, name=name: f"{name}: {text}",
        )


@KERNELS
def test_features_are_those_of_the_naive_loop(kernel: ModuleType) -> None:
    given = problem(50)
    found = kernel.features(given["points"], given["table"], LAYOUT, LAYOUT.levels)
    expected = [naive_features(point, given["table"], LAYOUT) for point in given["points"]]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-4)


# Each combination takes seconds to compile; both for two features are compiled by other tests too.
@pytest.mark.parametrize(
    ("features", "dtype"),
    [
        (2, torch.float32),
        (2, torch.float64),
        pytest.param(1, torch.float32, marks=pytest.mark.slow),
        pytest.param(8, torch.float32, marks=pytest.mark.slow),
    ],
)
def test_kernels_agree_for_every_number_of_features(features: int, dtype: torch.dtype) -> None:
    layout = GridLayout(
        levels=3, features=features, log2_hashmap_size=9, base_resolution=3, max_resolution=40
    )
    given = problem(700, layout, dtype)
    assert_same(results(numba_hash_grid, given, layout, 3), results(reference, given, layout, 3))


@pytest.mark.parametrize("active", [0, 1, 4, 5])
def test_levels_that_are_not_active_give_zero_and_receive_nothing(active: int) -> None:
    given = problem(300)
    found = results(numba_hash_grid, given, active=active)
    assert_same(found, results(reference, given, active=active))
    assert not found["features"][:, active * 2 :].any()
    assert not found["jvp"][:, active * 2 :].any()
    first = LAYOUT.grids[active].offset if active < LAYOUT.levels else LAYOUT.entries
    assert not found["scatter_both"][first:].any()


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 5000])
def test_kernels_agree_for_any_number_of_points(count: int) -> None:
    given = problem(count)
    assert_same(results(numba_hash_grid, given), results(reference, given))


def test_kernels_agree_on_points_in_the_order_of_rays() -> None:
    given = problem(4096)
    ends = torch.rand(2, 64, 1, 3)
    along = torch.linspace(0, 1, 64)[:, None]
    given["points"] = (ends[0] + along * (ends[1] - ends[0])).reshape(-1, 3)
    assert_same(results(numba_hash_grid, given), results(reference, given))


def test_kernels_agree_on_vertices_and_on_the_border() -> None:
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1 / 3, 0.5, 1.0])] * 3)
    given = problem(len(corners)) | {"points": corners}
    assert_same(results(numba_hash_grid, given), results(reference, given))


def test_nan_points_give_nan_and_touch_nobody_else() -> None:
    given = problem(300)
    clean = results(numba_hash_grid, given)
    points = given["points"].clone()
    points[::7] = torch.nan
    points[3::7, 1] = torch.nan
    spoiled = results(numba_hash_grid, given | {"points": points})
    bad = points.isnan().any(-1)
    for name in ("features", "vjp", "jvp"):
        assert spoiled[name][bad].isnan().any(-1).all(), name
        assert torch.equal(spoiled[name][~bad], clean[name][~bad]), name


def test_points_far_outside_are_safe() -> None:
    given = problem(8)
    given["points"][:4] = torch.tensor([torch.inf, -torch.inf, 1e30, -1e30])[:, None]
    assert results(numba_hash_grid, given)["scatter_both"].shape == (LAYOUT.entries, 2)


def test_what_is_not_contiguous_is_read_right() -> None:
    given = problem(200)
    strided = {}
    for name, value in given.items():
        wide = torch.full((value.shape[0], 2 * value.shape[1]), torch.nan)
        wide[:, ::2] = value
        strided[name] = wide[:, ::2]
    assert_same(results(numba_hash_grid, strided), results(numba_hash_grid, given))


def test_results_do_not_depend_on_the_number_of_threads_to_the_last_bit() -> None:
    given = problem(10_000)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3, 2):
            torch.set_num_threads(threads)
            found.append(results(numba_hash_grid, given))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        for name, value in found[0].items():
            assert torch.equal(value, other[name]), name


@KERNELS
def test_scatter_is_the_transpose_of_reading(kernel: ModuleType) -> None:
    given = problem(400, dtype=torch.float64)
    found = results(kernel, given)
    read = (found["features"] * given["grad"]).sum() + (found["jvp"] * given["jvp_grad"]).sum()
    torch.testing.assert_close((found["scatter_both"] * given["table"]).sum(), read)


@KERNELS
def test_slopes_say_what_reading_the_table_again_would(kernel: ModuleType) -> None:
    found = results(kernel, problem(700, dtype=torch.float64))
    torch.testing.assert_close(found["features with jacobian"], found["features"])
    torch.testing.assert_close(found["J^T g from jacobian"], found["vjp"])
    torch.testing.assert_close(found["J v from jacobian"], found["jvp"])


@KERNELS
def test_collisions_add_up(kernel: ModuleType) -> None:
    tiny = GridLayout(
        levels=1, features=2, log2_hashmap_size=1, base_resolution=30, max_resolution=30
    )
    given = problem(500, tiny, torch.float64)
    found = kernel.scatter(given["points"], given["grad"], None, None, tiny, 1)
    torch.testing.assert_close(found.sum(0), given["grad"].sum(0))


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_derivatives_of_encode_are_exact(backend: str) -> None:
    layout = GridLayout(
        levels=4, features=2, log2_hashmap_size=5, base_resolution=2, max_resolution=9
    )
    given = problem(5, layout, torch.float64)
    points = (1.2 * given["points"] - 0.1).requires_grad_()
    table = given["table"].requires_grad_()
    assert torch.autograd.gradcheck(lambda p, t: encode(p, t, layout, 3, backend), (points, table))


def test_second_derivatives_flow_through_the_reference() -> None:
    given = problem(3, dtype=torch.float64)
    layout = GridLayout(
        levels=2, features=1, log2_hashmap_size=5, base_resolution=2, max_resolution=4
    )
    inputs = (given["points"].requires_grad_(), torch.randn(layout.entries, 1).double())
    inputs[1].requires_grad_()
    assert torch.autograd.gradgradcheck(
        lambda p, t: encode(p, t, layout, None, "reference"), inputs
    )
