"""``J^T g`` and ``J v`` in Triton from a stored Jacobian: sums over contiguous memory."""

from typing import Any

import torch
from torch import Tensor

from nerfloss.kernels.triton.grid_cells import read_vectors
from nerfloss.kernels.triton.language import (
    accumulation_dtype,
    cdiv,
    constexpr,
    jit,
    launch,
    tl,
    with_strides,
)
from nerfloss.kernels.triton.tuning import DEFAULT_TUNING, Tuning


@jit
def sum_over_channels(
    jacobian, grad, grad_stride, channel_stride, out, count, stride,
    CHANNELS: constexpr, BLOCK: constexpr, REAL: constexpr,
):  # fmt: skip
    """Write ``J^T grad``, summed over channels."""
    point = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = point < count
    to_x = tl.zeros((BLOCK,), REAL)
    to_y, to_z = to_x, to_x
    at, to = jacobian + point, grad + point * grad_stride
    for _ in range(CHANNELS):
        g = tl.load(to, mask=inside, other=0.0).to(REAL)
        to_x += tl.load(at, mask=inside, other=0.0).to(REAL) * g
        to_y += tl.load(at + stride, mask=inside, other=0.0).to(REAL) * g
        to_z += tl.load(at + stride + stride, mask=inside, other=0.0).to(REAL) * g
        # step by step: a product of channels and points may pass 2^31
        at += count
        to += channel_stride
    tl.store(out + point, to_x, mask=inside)
    tl.store(out + count + point, to_y, mask=inside)
    tl.store(out + count + count + point, to_z, mask=inside)


@jit
def sum_over_axes(
    jacobian, tangent, along_stride, across_stride, out, count, stride,
    CHANNELS: constexpr, BLOCK: constexpr, REAL: constexpr,
):  # fmt: skip
    """Write ``J tangent``, all channels of a block of points."""
    point = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = point < count
    s, t, r = read_vectors(tangent, point, inside, along_stride, across_stride, REAL)
    at, to = jacobian + point, out + point
    for _ in range(CHANNELS):
        total = tl.load(at, mask=inside, other=0.0).to(REAL) * s
        total += tl.load(at + stride, mask=inside, other=0.0).to(REAL) * t
        total += tl.load(at + stride + stride, mask=inside, other=0.0).to(REAL) * r
        tl.store(to, total, mask=inside)
        at += count
        to += count


def vjp_from_jacobian(jacobian: Tensor, grad: Tensor, *, tuning: Tuning = DEFAULT_TUNING) -> Tensor:
    return _sums(sum_over_channels, jacobian, grad, 3, tuning)


def jvp_from_jacobian(
    jacobian: Tensor, tangent: Tensor, *, tuning: Tuning = DEFAULT_TUNING
) -> Tensor:
    return _sums(sum_over_axes, jacobian, tangent, jacobian.shape[1], tuning)


def _sums(kernel: Any, jacobian: Tensor, vectors: Tensor, rows: int, tuning: Tuning) -> Tensor:
    language, dtype = accumulation_dtype(jacobian)
    jacobian = jacobian.detach().contiguous()
    channels, count = jacobian.shape[1:]
    out = torch.empty(rows, count, device=jacobian.device, dtype=dtype)
    launch(
        kernel,
        (cdiv(count, tuning.block),),
        jacobian,
        *with_strides(vectors),
        out,
        count,
        channels * count,
        CHANNELS=channels,
        BLOCK=tuning.block,
        REAL=language,
        num_warps=tuning.warps,
    )
    return out.t()
