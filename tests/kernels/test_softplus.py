"""Softplus and its slope agree with torch in double precision, also at the ends."""

import pytest
import torch

from nerfloss.kernels.softplus import softplus_and_slope


def test_value_and_slope_agree_with_torch() -> None:
    x = torch.linspace(-3, 3, 10001, dtype=torch.float64)
    expected = torch.nn.functional.softplus(100 * x, threshold=500) / 100
    for dtype, tolerance in ((torch.float32, 3e-7), (torch.float64, 1e-15)):
        value, slope = softplus_and_slope(x.to(dtype))
        torch.testing.assert_close(value.double(), expected, rtol=4e-7, atol=tolerance)
        exact_slope = torch.sigmoid(100 * x.to(dtype).double())
        torch.testing.assert_close(slope.double(), exact_slope, rtol=4e-7, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ends_are_finite_and_nan_stays_nan(dtype: torch.dtype) -> None:
    x = torch.tensor([-torch.inf, -1e30, 0.0, 1e30, torch.inf, torch.nan], dtype=dtype)
    value, slope = softplus_and_slope(x)
    finite = torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0], dtype=dtype)
    torch.testing.assert_close(slope[:5], finite, rtol=0, atol=1e-20)
    assert value[:2].abs().max() < 1e-20
    assert value[4] == torch.inf
    assert value[5].isnan()
    assert slope[5].isnan()


def test_derivatives_are_exact() -> None:
    x = torch.randn(4, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: softplus_and_slope(x, 7.0), (x,))


def test_what_is_not_compiled_agrees_with_what_is() -> None:
    x = torch.randn(50).to(torch.bfloat16).requires_grad_()
    coarse = torch.stack(softplus_and_slope(x, 10.0))
    fine = torch.stack(softplus_and_slope(x.float(), 10.0))
    torch.testing.assert_close(coarse.float(), fine, rtol=0, atol=1e-2)


def test_empty_and_transposed_inputs_are_fine() -> None:
    assert softplus_and_slope(torch.empty(0, 3))[0].shape == (0, 3)
    x = torch.randn(5, 9)
    torch.testing.assert_close(softplus_and_slope(x.t())[0], softplus_and_slope(x)[0].t())
