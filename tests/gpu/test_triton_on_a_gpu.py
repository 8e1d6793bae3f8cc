"""Triton's kernels on a GPU, at sizes that fill it. tests/kernels has the small ones."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.reference import hash_grid as reference

pytestmark = pytest.mark.gpu
LAYOUT = GridLayout(
    levels=16, features=2, log2_hashmap_size=19, base_resolution=16, max_resolution=2048
)


@pytest.fixture
def kernel():
    """Imported in tests alone: the module needs triton."""
    from nerfloss.kernels.triton import hash_grid as triton_grid

    return triton_grid


@pytest.fixture
def benchmarks(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs that compare kernels with the formulas, importable."""
    monkeypatch.syspath_prepend(repository / "benchmarks")


def drawn(count: int, order: str, dtype: torch.dtype) -> dict[str, Tensor]:
    device, channels = torch.device("cuda"), LAYOUT.channels
    points = torch.rand(count, 3, device=device)
    if order == "rays":
        ends = torch.rand(2, count // 64, 1, 3, device=device)
        points = (ends[0] + torch.linspace(0, 1, 64, device=device)[:, None] * ends[1]) / 2
        points = points.reshape(-1, 3)
    return {
        "points": points,
        "table": torch.randn(LAYOUT.entries, 2, device=device).to(dtype),
        "grad": torch.randn(count, channels, device=device),
        "tangent": torch.randn(count, 3, device=device),
        "jvp_grad": torch.randn(count, channels, device=device),
    }


def assert_close(found: Tensor, expected: Tensor, allowed: float = 1e-4) -> None:
    assert float((found - expected).norm() / expected.norm()) < allowed


@pytest.mark.parametrize("order", ["random", "rays"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_it_agrees_with_the_reference(kernel, order: str, dtype: torch.dtype) -> None:
    x, table, grad, tangent, jvp_grad = drawn(2**17, order, dtype).values()
    at, exact = (LAYOUT, 16), table.float()
    found, jacobian = kernel.features_and_jacobian(x, table, *at)
    right, right_jacobian = reference.features_and_jacobian(x, exact, *at)
    assert_close(found, right)
    assert_close(jacobian, right_jacobian)
    assert_close(
        kernel.vjp_from_jacobian(jacobian, grad), reference.vjp_from_jacobian(right_jacobian, grad)
    )
    assert_close(
        kernel.jvp_from_jacobian(jacobian, tangent), reference.jvp_from_jacobian(jacobian, tangent)
    )
    assert_close(kernel.vjp(x, table, grad, *at), reference.vjp(x, exact, grad, *at))
    assert_close(kernel.jvp(x, table, tangent, *at), reference.jvp(x, exact, tangent, *at))
    bent = kernel.hvp(x, table, grad, tangent, *at)
    assert_close(bent, reference.hvp(x, exact, grad, tangent, *at))
    both = (x, grad, tangent, jvp_grad, *at)
    assert_close(kernel.scatter(*both), reference.scatter(*both))


def test_more_than_two_to_the_31_numbers_are_addressed_right(kernel) -> None:
    """Slopes of 2^25 points and 32 channels are 3 * 2^30 numbers."""
    if torch.cuda.get_device_properties(0).total_memory < 60 * 2**30:
        pytest.skip("needs 60 GB of memory on the device")
    count = 2**25
    x = torch.rand(count, 3, device="cuda")
    table = torch.randn(LAYOUT.entries, 2, device="cuda")
    found, jacobian = kernel.features_and_jacobian(x, table, LAYOUT, 16)
    last = slice(count - 1000, count)
    right, right_jacobian = reference.features_and_jacobian(x[last], table, LAYOUT, 16)
    assert_close(found[last], right)
    assert_close(jacobian[:, :, last], right_jacobian)


def test_it_is_not_slower_than_plain_pytorch(kernel) -> None:
    x, table, *_ = drawn(2**18, "random", torch.float32).values()

    def seconds(chosen) -> float:
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        chosen.features_and_jacobian(x, table, LAYOUT, 16)
        first.record()
        for _ in range(5):
            chosen.features_and_jacobian(x, table, LAYOUT, 16)
        last.record()
        last.synchronize()
        return first.elapsed_time(last)

    assert seconds(kernel) < seconds(reference)


@pytest.mark.usefixtures("benchmarks")
def test_models_use_triton_on_a_gpu_and_agree_with_the_reference() -> None:
    """Opacity, weights, sums and the march, through their public functions."""
    from gpu_rays import OPERATIONS, inputs, ray_errors, sweep

    from nerfloss.kernels.compositing import compositing_weights
    from nerfloss.kernels.triton import compositing as triton_compositing

    device = torch.device("cuda")
    alphas = inputs(next(sweep(dry=True)), device, seed=0)["alphas"].requires_grad_()
    assert compositing_weights(alphas).grad_fn.kernel is triton_compositing, "auto takes it"
    found = ray_errors(device, dry=False)
    assert found.keys() == {*OPERATIONS, "march"}
    assert max(found.values()) < 1e-3, found


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.usefixtures("benchmarks")
def test_ray_operations_do_not_synchronise() -> None:
    """The march does, once, for the number of its steps."""
    from gpu_rays import OPERATIONS, Batch, both_ways, inputs

    given = inputs(Batch(), torch.device("cuda"), seed=0)
    for operation in OPERATIONS.values():
        both_ways(operation, given, "triton")  # compiles
    torch.cuda.set_sync_debug_mode("error")
    try:
        for operation in OPERATIONS.values():
            both_ways(operation, given, "triton")
    finally:
        torch.cuda.set_sync_debug_mode("default")
