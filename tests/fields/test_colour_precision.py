"""Colours in bfloat16: distances, normals, parameters and gradients stay float32."""

import pytest
import torch
from small_runs import composed

from nerfloss.assembly.build import build_model
from nerfloss.fields.mlp import MLP

POINTS = torch.rand(40, 3, generator=torch.Generator().manual_seed(1)) - 0.5


def fields(model):
    """Return a field with bfloat16 colours, and the same in float32."""
    result = []
    for precision in ("bfloat16", "float32"):
        torch.manual_seed(0)
        overrides = [f"model={model}", f"model.field.appearance.precision={precision}"]
        result.append(build_model(composed(*overrides, model=model), torch.device("cpu")).field)
    return result


@pytest.mark.parametrize("model", ["neus", "nerf"])
def test_colours_are_nearly_the_same_and_derivatives_float32(model):
    colours, derivatives = [], []
    for field in fields(model):
        torch.manual_seed(2)
        network = field.appearance.network
        colours.append(network(torch.randn(40, network.layers[0].in_features)))
        parameters = list(network.parameters())
        derivatives.append(torch.autograd.grad((colours[-1] - 0.3).square().sum(), parameters))
    assert colours[0].dtype == torch.float32
    assert not torch.equal(*colours), "layers are rounded"
    torch.testing.assert_close(*colours, rtol=0, atol=0.02)
    assert all(each.dtype == torch.float32 for each in derivatives[0])
    rounded, exact = (torch.cat([each.flatten() for each in some]) for some in derivatives)
    assert float((rounded - exact).norm() / exact.norm()) < 0.05


def test_distances_and_normals_are_unchanged():
    values = [field(POINTS, {"sdf", "gradients"}) for field in fields("neus")]
    for name in ("sdf", "gradients"):
        assert values[0][name].dtype == torch.float32
        assert torch.equal(values[0][name], values[1][name])


def test_unsupported_precision_is_refused():
    with pytest.raises(ValueError, match="'float16' is none of float32, bfloat16"):
        MLP(3, 3, hidden=1, width=4, precision="float16")
