"""The network of a signed distance on a GPU: values, pull and their backward, each one kernel.

What `nerfloss.kernels.sdf_mlp` defines, for the sizes that `triton_layers.fits`. Activations never
leave the chip, and the backward pass makes them again.

Letters: x inputs, a after the softplus and s its slope, p and q the pull before and after it met
the slope; 0 and 1 the hidden layers. ``to_s`` is the derivative of the loss by s.
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
def softened(x, weight, bias, beta, PRECISION: constexpr):
    """A layer's values through the softplus, and its slope there."""
    z = beta * (times(weight, x, PRECISION) + bias)
    return (tl.maximum(z, 0.0) + tl.log(1.0 + tl.exp(-tl.abs(z)))) / beta, tl.sigmoid(z)


@jit
def bent(above, slope, to_slope, beta):
    """The derivative by what went into the softplus, from those by its value and its slope."""
    return slope * (above + beta * (1.0 - slope) * to_slope)


@jit
def activated(
    x, first, bias_first, middle, bias_middle, beta, HIDDEN: constexpr, PRECISION: constexpr
):  # fmt: skip
    """Values and slopes of both hidden layers; where there is one, it stands for both."""
    a0, s0 = softened(x, first, bias_first, beta, PRECISION)
    a1, s1 = a0, s0
    if HIDDEN == 2:
        a1, s1 = softened(a0, middle, bias_middle, beta, PRECISION)
    return a0, s0, a1, s1


@jit
def evaluate(
    inputs, row_stride, stride, w0, b0, w1, b1, w2, b2, beta, outputs, pull, count,
    INPUTS: constexpr, WIDTH: constexpr, OUTPUTS: constexpr, X: constexpr, H: constexpr,
    Y: constexpr, POINTS: constexpr, HIDDEN: constexpr, PULLED: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """Write outputs, and with PULLED the pull, of a block of points."""
    point = tl.program_id(0).to(tl.int64) * POINTS + tl.arange(0, POINTS)
    x = read_points(inputs, row_stride, stride, point, count, INPUTS, X)
    first, middle, last = read_three(w0, w1, w2, INPUTS, WIDTH, OUTPUTS, X, H, Y, HIDDEN)
    bias_first, bias_middle = read_column(b0, WIDTH, H), read_column(b1, WIDTH, H)
    _, s0, a1, s1 = activated(x, first, bias_first, middle, bias_middle, beta, HIDDEN, PRECISION)
    y = times(last, a1, PRECISION) + read_column(b2, OUTPUTS, Y)
    write_points(outputs, y, point, count, OUTPUTS, Y)
    if PULLED:
        # the first row of the last layer: what the distance says of every hidden unit
        q = s1 * read_column(w2, WIDTH, H)
        if HIDDEN == 2:
            q = s0 * transposed_times(middle, q, PRECISION)
        write_points(pull, transposed_times(first, q, PRECISION), point, count, INPUTS, X)


@jit
def pull_backward(to_pull, first, middle, p1, s0, s1, HIDDEN: constexpr, PRECISION: constexpr):
    """What comes from the pull: to the first and middle matrix, to s0, s1 and the last's row."""
    p0 = p1 + tl.zeros_like(s0)
    if HIDDEN == 2:
        q1 = s1 * p1
        p0 = transposed_times(middle, q1, PRECISION)
    to_first = times_transposed(s0 * p0, to_pull, PRECISION)
    to_after = times(first, to_pull, PRECISION)
    to_s0, to_s1, to_pull = p0 * to_after, p0, s0 * to_after
    to_middle = to_first
    if HIDDEN == 2:
        to_middle = times_transposed(q1, to_pull, PRECISION)
        to_after = times(middle, to_pull, PRECISION)
        to_s1, to_pull = p1 * to_after, s1 * to_after
    return to_first, to_middle, to_s0, to_s1, tl.sum(to_pull, 1)


@jit
def values_backward(
    above, x, a0, s0, a1, s1, to_s0, to_s1, first, middle, last, beta, HIDDEN: constexpr,
    PRECISION: constexpr,
):  # fmt: skip
    """To the matrices and biases, layer by layer, and to the inputs, from those by the outputs."""
    to_last, to_bias_last = times_transposed(above, a1, PRECISION), tl.sum(above, 1)
    above = transposed_times(last, above, PRECISION)
    if HIDDEN == 2:
        above = bent(above, s1, to_s1, beta)
        to_middle, to_bias_middle = times_transposed(above, a0, PRECISION), tl.sum(above, 1)
        above = transposed_times(middle, above, PRECISION)
    above = bent(above, s0, to_s0, beta)
    to_first, to_bias_first = times_transposed(above, x, PRECISION), tl.sum(above, 1)
    to_x = transposed_times(first, above, PRECISION)
    if HIDDEN == 1:
        to_middle, to_bias_middle = to_first, to_bias_first
    return to_first, to_bias_first, to_middle, to_bias_middle, to_last, to_bias_last, to_x


@jit
def differentiate(
    inputs, row_stride, stride, w0, b0, w1, b1, w2, beta, to_outputs, to_row_stride, to_stride,
    to_pull, pull_row_stride, pull_stride, to_inputs, to_w0, to_b0, to_w1, to_b1, to_w2, to_b2,
    count, INPUTS: constexpr, WIDTH: constexpr, OUTPUTS: constexpr, X: constexpr, H: constexpr,
    Y: constexpr, POINTS: constexpr, HIDDEN: constexpr, PULLED: constexpr, PRECISION: constexpr,
):  # fmt: skip
    """Write the derivatives by the inputs, and this program's sums of those by the parameters."""
    first, middle, last = read_three(w0, w1, w2, INPUTS, WIDTH, OUTPUTS, X, H, Y, HIDDEN)
    bias_first, bias_middle = read_column(b0, WIDTH, H), read_column(b1, WIDTH, H)
    p = read_column(w2, WIDTH, H)
    sum_w0, sum_w1, sum_w2 = tl.zeros_like(first), tl.zeros_like(middle), tl.zeros_like(last)
    sum_b0, sum_b2 = tl.sum(sum_w0, 1), tl.sum(sum_w2, 1)
    sum_b1, sum_row = sum_b0, sum_b0
    block = tl.program_id(0)
    while block * POINTS < count:
        point = block.to(tl.int64) * POINTS + tl.arange(0, POINTS)
        x = read_points(inputs, row_stride, stride, point, count, INPUTS, X)
        above = read_points(to_outputs, to_row_stride, to_stride, point, count, OUTPUTS, Y)
        a0, s0, a1, s1 = activated(
            x, first, bias_first, middle, bias_middle, beta, HIDDEN, PRECISION
        )
        to_s0, to_s1 = tl.zeros_like(s0), tl.zeros_like(s1)
        if PULLED:
            to = read_points(to_pull, pull_row_stride, pull_stride, point, count, INPUTS, X)
            own_w0, own_w1, to_s0, to_s1, own_row = pull_backward(
                to, first, middle, p, s0, s1, HIDDEN, PRECISION
            )
            sum_w0, sum_w1, sum_row = sum_w0 + own_w0, sum_w1 + own_w1, sum_row + own_row
        own_w0, own_b0, own_w1, own_b1, own_w2, own_b2, to_x = values_backward(
            above, x, a0, s0, a1, s1, to_s0, to_s1, first, middle, last, beta, HIDDEN, PRECISION
        )
        sum_w0, sum_w1, sum_w2 = sum_w0 + own_w0, sum_w1 + own_w1, sum_w2 + own_w2
        sum_b0, sum_b1, sum_b2 = sum_b0 + own_b0, sum_b1 + own_b1, sum_b2 + own_b2
        write_points(to_inputs, to_x, point, count, INPUTS, X)
        block += tl.num_programs(0)
    sum_w2 += tl.where(tl.arange(0, Y)[:, None] == 0, sum_row[None, :], 0.0)
    write_layer(to_w0, to_b0, sum_w0, sum_b0, WIDTH, INPUTS, H, X)
    if HIDDEN == 2:
        write_layer(to_w1, to_b1, sum_w1, sum_b1, WIDTH, WIDTH, H, H)
    write_layer(to_w2, to_b2, sum_w2, sum_b2, OUTPUTS, WIDTH, Y, H)


def forward(
    inputs: Tensor, parameters: Sequence[Tensor], beta: float, pulled: bool,
    sharing: Sharing = GUESSED,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Outputs and pull, each ``rows points``; no pull unless ``pulled``."""
    count, outputs = inputs.shape[1], len(parameters[-1])
    out = inputs.new_empty(outputs, count)
    pull = inputs.new_empty(len(inputs) if pulled else 0, count)
    launch(
        evaluate, (blocks(count, sharing.points),), *strided(inputs),
        *first_middle_last(parameters), float(beta), out, pull, count,
        **fixed(inputs, parameters, sharing), PULLED=pulled,
    )  # fmt: skip
    return out, pull


def backward(
    inputs: Tensor, parameters: Sequence[Tensor], beta: float, to_outputs: Tensor, to_pull: Tensor,
    sharing: Sharing = GUESSED,
) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
    """Derivatives by the inputs and by every parameter. An empty ``to_pull`` counts as 0."""
    programs = sharing.of(inputs.shape[1])
    to_inputs = torch.empty_like(inputs, memory_format=torch.contiguous_format)
    sums = new_sums(parameters, programs)
    launch(
        differentiate, (programs,), *strided(inputs), *first_middle_last(parameters)[:-1],
        float(beta), *strided(to_outputs), *strided(to_pull), to_inputs, *sums, inputs.shape[1],
        **fixed(inputs, parameters, sharing), PULLED=len(to_pull) > 0,
    )  # fmt: skip
    return to_inputs, added_up(sums, parameters)
