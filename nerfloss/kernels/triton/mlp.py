"""A small network with ReLU on a GPU: forward and backward, each one kernel.

What `nerfloss.kernels.mlp` defines, for the sizes that `triton_layers.fits`. Activations never
leave the chip, and the backward pass makes them again.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from nerfloss.kernels.triton.language import blocks, constexpr, jit, launch, strided, tl
from nerfloss.kernels.triton.layers import (
    GUESSED,
    Sharing,
    added_up,
    first_middle_last,
    fixed,
    new_sums,
    read_column,
    read_points,
    read_three,
    times,
    times_transposed,
    transposed_times,
    write_layer,
    write_points,
)


@jit
def rectified(x, weight, bias, PRECISION: constexpr):
    """A layer's values through the ReLU."""
    z = times(weight, x, PRECISION) + bias
    # a comparison that NaN passes through
    return tl.where(z < 0, 0.0, z)


@jit
def activated(
    x, first, bias_first, middle, bias_middle, HIDDEN: constexpr, PRECISION: constexpr
):  # fmt: skip
    """Values of both hidden layers; where there is one, it stands for both."""
    a0 = rectified(x, first, bias_first, PRECISION)
    a1 = a0
    if HIDDEN == 2:
        a1 = rectified(a0, middle, bias_middle, PRECISION)
    return a0, a1


@jit
def evaluate(
    inputs, row_stride, stride, w0, b0, w1, b1, w2, b2, outputs, count, INPUTS: constexpr,
    WIDTH: constexpr, OUTPUTS: constexpr, X: constexpr, H: constexpr, Y: constexpr,
    POINTS: constexpr, HIDDEN: constexpr, SQUASH: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """Write the outputs of a block of points."""
    point = tl.program_id(0).to(tl.int64) * POINTS + tl.arange(0, POINTS)
    x = read_points(inputs, row_stride, stride, point, count, INPUTS, X)
    first, middle, last = read_three(w0, w1, w2, INPUTS, WIDTH, OUTPUTS, X, H, Y, HIDDEN)
    bias_first, bias_middle = read_column(b0, WIDTH, H), read_column(b1, WIDTH, H)
    _, a1 = activated(x, first, bias_first, middle, bias_middle, HIDDEN, PRECISION)
    y = times(last, a1, PRECISION) + read_column(b2, OUTPUTS, Y)
    if SQUASH:
        y = tl.sigmoid(y)
    write_points(outputs, y, point, count, OUTPUTS, Y)


@jit
def layers_backward(
    above, x, a0, a1, first, middle, last, HIDDEN: constexpr, PRECISION: constexpr
):  # fmt: skip
    """To the matrices and biases, layer by layer, and to the inputs, from those by the outputs."""
    to_last, to_bias_last = times_transposed(above, a1, PRECISION), tl.sum(above, 1)
    above = transposed_times(last, above, PRECISION)
    if HIDDEN == 2:
        above = tl.where(a1 > 0, above, 0.0)
        to_middle, to_bias_middle = times_transposed(above, a0, PRECISION), tl.sum(above, 1)
        above = transposed_times(middle, above, PRECISION)
    above = tl.where(a0 > 0, above, 0.0)
    to_first, to_bias_first = times_transposed(above, x, PRECISION), tl.sum(above, 1)
    to_x = transposed_times(first, above, PRECISION)
    if HIDDEN == 1:
        to_middle, to_bias_middle = to_first, to_bias_first
    return to_first, to_bias_first, to_middle, to_bias_middle, to_last, to_bias_last, to_x


@jit
def differentiate(
    inputs, row_stride, stride, w0, b0, w1, b1, w2, squashed, to_outputs, to_row_stride, to_stride,
    to_inputs, to_w0, to_b0, to_w1, to_b1, to_w2, to_b2, count, INPUTS: constexpr,
    WIDTH: constexpr, OUTPUTS: constexpr, X: constexpr, H: constexpr, Y: constexpr,
    POINTS: constexpr, HIDDEN: constexpr, SQUASH: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """Write the derivatives by the inputs, and this program's sums of those by the parameters."""
    first, middle, last = read_three(w0, w1, w2, INPUTS, WIDTH, OUTPUTS, X, H, Y, HIDDEN)
    bias_first, bias_middle = read_column(b0, WIDTH, H), read_column(b1, WIDTH, H)
    sum_w0, sum_w1, sum_w2 = tl.zeros_like(first), tl.zeros_like(middle), tl.zeros_like(last)
    sum_b0, sum_b2 = tl.sum(sum_w0, 1), tl.sum(sum_w2, 1)
    sum_b1, block = sum_b0, tl.program_id(0)
    while block * POINTS < count:
        point = block.to(tl.int64) * POINTS + tl.arange(0, POINTS)
        x = read_points(inputs, row_stride, stride, point, count, INPUTS, X)
        above = read_points(to_outputs, to_row_stride, to_stride, point, count, OUTPUTS, Y)
        if SQUASH:
            y = read_points(squashed, count, 1, point, count, OUTPUTS, Y)
            above *= y * (1.0 - y)
        a0, a1 = activated(x, first, bias_first, middle, bias_middle, HIDDEN, PRECISION)
        own_w0, own_b0, own_w1, own_b1, own_w2, own_b2, to_x = layers_backward(
            above, x, a0, a1, first, middle, last, HIDDEN, PRECISION
        )
        sum_w0, sum_w1, sum_w2 = sum_w0 + own_w0, sum_w1 + own_w1, sum_w2 + own_w2
        sum_b0, sum_b1, sum_b2 = sum_b0 + own_b0, sum_b1 + own_b1, sum_b2 + own_b2
        write_points(to_inputs, to_x, point, count, INPUTS, X)
        block += tl.num_programs(0)
    write_layer(to_w0, to_b0, sum_w0, sum_b0, WIDTH, INPUTS, H, X)
    if HIDDEN == 2:
        write_layer(to_w1, to_b1, sum_w1, sum_b1, WIDTH, WIDTH, H, H)
    write_layer(to_w2, to_b2, sum_w2, sum_b2, OUTPUTS, WIDTH, Y, H)


def forward(
    inputs: Tensor, parameters: Sequence[Tensor], squash: bool = False, sharing: Sharing = GUESSED
) -> Tensor:
    """The last layer's outputs, ``rows points``; through a sigmoid if to be ``squash``-ed."""
    count = inputs.shape[1]
    out = inputs.new_empty(len(parameters[-1]), count)
    launch(
        evaluate, (blocks(count, sharing.points),), *strided(inputs),
        *first_middle_last(parameters), out, count, **fixed(inputs, parameters, sharing),
        SQUASH=squash,
    )  # fmt: skip
    return out


def backward(
    inputs: Tensor, parameters: Sequence[Tensor], to_outputs: Tensor, squashed: Tensor | None,
    sharing: Sharing = GUESSED,
) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
    """Derivatives by the inputs and by every parameter; ``squashed`` outputs went through one."""
    programs = sharing.of(inputs.shape[1])
    to_inputs = torch.empty_like(inputs, memory_format=torch.contiguous_format)
    sums, squash = new_sums(parameters, programs), squashed is not None
    seen = to_inputs if squashed is None else squashed.detach().contiguous()
    launch(
        differentiate, (programs,), *strided(inputs), *first_middle_last(parameters)[:-1], seen,
        *strided(to_outputs), to_inputs, *sums, inputs.shape[1],
        **fixed(inputs, parameters, sharing), SQUASH=squash,
    )  # fmt: skip
    return to_inputs, added_up(sums, parameters)
