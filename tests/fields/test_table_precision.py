"""A table that is read in half precision: parameters and sums stay float32."""

import pytest
import torch

from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.sdf_network import SDFNetwork

HALVES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
SIZES = {
    "levels": 4,
    "log2_hashmap_size": 8,
    "base_resolution": 4,
    "max_resolution": 32,
    "backend": "reference",
}


def grids(precision):
    """Return a grid read in half precision, and a float32 grid with the rounded table."""
    torch.manual_seed(0)
    half, rounded = (HashGrid(**SIZES, precision=name) for name in (precision, "float32"))
    with torch.no_grad():
        half.table.uniform_(-1, 1)
        rounded.table.copy_(half.table.to(HALVES[precision]))
    return half, rounded


def points():
    return torch.rand(50, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("precision", HALVES)
def test_features_are_those_of_the_rounded_table_and_gradients_are_float32(precision):
    half, rounded = grids(precision)
    actual, expected = half(points()), rounded(points())
    assert actual.dtype == torch.float32
    assert not torch.equal(half.table, rounded.table), "parameters are not rounded"
    torch.testing.assert_close(actual, expected)
    # So small that float16 would call it 0.
    weights = 1e-9 * torch.randn(actual.shape, generator=torch.Generator().manual_seed(2))
    for value in (actual, expected):
        (weights * value).sum().backward()
    assert half.table.grad.dtype == torch.float32
    assert half.table.grad.abs().max() > 0
    torch.testing.assert_close(half.table.grad, rounded.table.grad, rtol=1e-5, atol=1e-18)


@pytest.mark.parametrize("precision", HALVES)
def test_normals_are_float32_and_exact_for_the_rounded_table(precision):
    networks = [SDFNetwork(grid, width=16, embedding=3) for grid in grids(precision)]
    networks[1].layers.load_state_dict(networks[0].layers.state_dict())
    gradients = []
    for network in networks:
        sdf, embedding, normals = network.with_gradients(points())
        outputs = torch.cat([sdf[:, None], embedding], -1)
        assert outputs.dtype == normals.dtype == torch.float32
        ((normals.norm(dim=-1) - 1).square().mean() + outputs.square().mean()).backward()
        gradients.append((outputs, normals, network.grid.table.grad))
    for half, rounded in zip(*gradients, strict=True):
        assert half.dtype == torch.float32
        torch.testing.assert_close(half, rounded, rtol=1e-4, atol=1e-6)


def test_updates_below_half_precision_accumulate():
    half, _ = grids("float16")
    before = half.table.detach().clone()
    with torch.no_grad():
        for _ in range(100):
            half.table.add_(1e-5)
    torch.testing.assert_close(
        half.table - before, torch.full_like(before, 1e-3), rtol=0.02, atol=0
    )


def test_unsupported_precision_is_refused():
    with pytest.raises(ValueError, match="'float8' is none of float32, float16, bfloat16"):
        HashGrid(**SIZES, precision="float8")
