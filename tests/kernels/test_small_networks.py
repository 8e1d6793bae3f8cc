"""Compiled networks agree with their formulas in double precision, whatever their size."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from nerfloss.kernels.mlp import apply_mlp
from nerfloss.kernels.numba import gemm
from nerfloss.kernels.numba import sdf_mlp as numba_sdf_mlp
from nerfloss.kernels.numba.correlation import correlate
from nerfloss.kernels.reference import sdf_mlp as reference_sdf_mlp

SHAPES = [
    ((5, 7, 3), 3),
    ((6, 5, 1), 129),
    ((35, 66, 2), 1),
    ((19, 64, 16), 256),
    ((19, 64, 64, 4), 1029),
    ((34, 33, 33, 3), 2048),
    ((7, 16, 16, 16, 5), 300),
]


def random_array(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def parameters_of(sizes: tuple[int, ...]) -> list[Tensor]:
    """Return random weights and biases for layers of the given sizes."""
    layers = [
        (torch.randn(outer, inner) / inner**0.5, 0.1 * torch.randn(outer))
        for inner, outer in pairwise(sizes)
    ]
    return [each for layer in layers for each in layer]


def precise(tensors: list[Tensor]) -> list[Tensor]:
    return [each.double().requires_grad_() for each in tensors]


def assert_agree(found: list[Tensor], expected: list[Tensor]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        scale = theirs.abs().max().clamp_min(1e-6)
        torch.testing.assert_close(ours.double() / scale, theirs / scale, rtol=0, atol=2e-5)


@pytest.mark.parametrize("squash", [False, True])
@pytest.mark.parametrize(("sizes", "count"), SHAPES)
def test_a_compiled_network_has_the_values_and_derivatives_of_its_layers(
    sizes: tuple[int, ...], count: int, squash: bool
) -> None:
    given = [torch.randn(sizes[0], count), *parameters_of(sizes)]
    exact = precise(given)
    given = [each.requires_grad_() for each in given]
    found = apply_mlp(given[0], given[1:], squash=squash)
    expected = apply_mlp(exact[0], exact[1:], squash=squash)
    assert_agree([found], [expected])
    to_outputs = torch.randn(sizes[-1], count)
    assert_agree(
        list(torch.autograd.grad(found, given, to_outputs)),
        list(torch.autograd.grad(expected, exact, to_outputs.double())),
    )


@pytest.mark.parametrize("with_input_gradient", [True, False])
@pytest.mark.parametrize(("sizes", "count"), SHAPES)
def test_a_compiled_distance_network_agrees_with_its_formulas(
    sizes: tuple[int, ...], count: int, with_input_gradient: bool
) -> None:
    beta = 20.0
    inputs, parameters = torch.randn(sizes[0], count), parameters_of(sizes)
    exact = [each.double() for each in (inputs, *parameters)]
    found = numba_sdf_mlp.forward(inputs, parameters, beta, with_input_gradient)
    expected = reference_sdf_mlp.forward(exact[0], exact[1:], beta, with_input_gradient)
    assert_agree(list(found)[: 1 + with_input_gradient], list(expected)[: 1 + with_input_gradient])
    assert found[1].shape == expected[1].shape
    given = [torch.randn_like(each) for each in found]
    to_inputs, to_parameters = numba_sdf_mlp.backward(inputs, parameters, beta, *given)
    expected_inputs, expected_parameters = reference_sdf_mlp.backward(
        exact[0], exact[1:], beta, *(each.double() for each in given)
    )
    assert_agree([to_inputs, *to_parameters], [expected_inputs, *expected_parameters])


@pytest.mark.parametrize("hidden", [1, 2])
def test_the_formulas_of_the_distance_network_are_exact_derivatives(hidden: int) -> None:
    inputs, parameters = torch.randn(4, 6), parameters_of((4, *[5] * hidden, 3))
    exact = precise([inputs, *parameters])

    class Network(torch.autograd.Function):
        @staticmethod
        def forward(ctx, inputs, *parameters):
            ctx.save_for_backward(inputs, *parameters)
            return reference_sdf_mlp.forward(inputs, parameters, 3.0, True)

        @staticmethod
        def backward(ctx, *given):
            inputs, *parameters = ctx.saved_tensors
            first, others = reference_sdf_mlp.backward(inputs, parameters, 3.0, *given)
            return first, *others

    assert torch.autograd.gradcheck(Network.apply, exact)


def test_the_input_gradient_is_the_derivative_of_the_first_output() -> None:
    exact = precise([torch.randn(4, 9), *parameters_of((4, 6, 6, 3))])
    outputs, input_gradient = reference_sdf_mlp.forward(exact[0], exact[1:], 5.0, True)
    (expected,) = torch.autograd.grad(outputs[0].sum(), exact[0])
    torch.testing.assert_close(input_gradient, expected)


@pytest.mark.parametrize("columns", range(1, 10))
@pytest.mark.parametrize("rows", range(1, 10))
def test_products_and_correlations_of_blocks_are_those_of_matrices(rows: int, columns: int) -> None:
    weight, bias = random_array(rows, columns), random_array(rows, 1)
    inputs, outputs = random_array(columns, gemm.BLOCK), random_array(rows, gemm.BLOCK)
    gemm.multiply(weight, bias, inputs, outputs)
    np.testing.assert_allclose(outputs, weight @ inputs + bias, atol=1e-5)
    back = np.empty_like(inputs)
    gemm.multiply_transposed(weight, np.ones((columns, 1), np.float32), outputs, back)
    np.testing.assert_allclose(back, weight.T @ outputs + 1, atol=1e-4)
    sums = np.ones_like(weight)
    correlate(outputs, inputs, sums)
    np.testing.assert_allclose(sums, outputs @ inputs.T + 1, rtol=1e-5, atol=1e-3)


def test_softplus_is_right_at_both_ends_and_nan_stays_nan() -> None:
    # one hidden unit that passes its input through softplus, and an output that adds nothing
    parameters = [torch.ones(1, 1), torch.zeros(1), torch.ones(1, 1), torch.zeros(1)]
    z = torch.cat([torch.linspace(-3, 3, 1001), torch.tensor([-1e30, 1e30, float("nan")])])
    value, slope = numba_sdf_mlp.forward(z[None], parameters, 100.0, True)
    exact = 100 * z[:-1].double()
    expected = torch.nn.functional.softplus(exact, threshold=1e9) / 100
    torch.testing.assert_close(value[0, :-1].double(), expected, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(slope[0, :-1].double(), torch.sigmoid(exact), rtol=1e-6, atol=1e-9)
    assert value[0, -1].isnan()
    assert slope[0, -1].isnan()


def test_the_number_of_threads_does_not_change_a_bit() -> None:
    sizes, count = (19, 64, 16), 5000
    inputs, parameters = torch.randn(sizes[0], count), parameters_of(sizes)
    to_outputs, grad_input_gradient = torch.randn(16, count), torch.randn(19, count)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            values = numba_sdf_mlp.forward(inputs, parameters, 100.0, True)
            first, others = numba_sdf_mlp.backward(
                inputs, parameters, 100.0, to_outputs, grad_input_gradient
            )
            found.append([*values, first, *others])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


def test_no_points_are_no_error() -> None:
    parameters = parameters_of((4, 6, 3))
    outputs, input_gradient = numba_sdf_mlp.forward(torch.empty(4, 0), parameters, 5.0, True)
    assert (outputs.shape, input_gradient.shape) == ((3, 0), (4, 0))
    _, to_parameters = numba_sdf_mlp.backward(
        torch.empty(4, 0), parameters, 5.0, outputs, input_gradient
    )
    assert all((each == 0).all() for each in to_parameters)
    assert apply_mlp(torch.empty(4, 0), parameters).shape == (3, 0)
