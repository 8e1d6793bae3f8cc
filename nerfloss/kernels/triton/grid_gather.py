"""Reads of the hash grid in Triton: features, their Jacobian, and products with it.

A program processes a block of points in one level (`read_grid`), or in all levels, over which it
sums (`project_grid`). The features of a row are contiguous, so a corner is one load; points run
fastest in the output, so stores fill whole lines.
"""

from functools import partial

import torch
from torch import Tensor

from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.triton.grid_cells import (
    cell,
    corner_axis_weights,
    corner_row,
    corner_weight_jvp,
    feature_mask,
    level_table,
    read_level,
    read_vectors,
)
from nerfloss.kernels.triton.language import (
    accumulation_dtype,
    cdiv,
    constexpr,
    jit,
    launch,
    next_power_of_two,
    tl,
    with_strides,
)
from nerfloss.kernels.triton.tuning import DEFAULT_TUNING, Tuning


@jit
def block_and_level(count, levels, BLOCK: constexpr, LEVEL_OUTER: constexpr):
    """Return block and level of this program; LEVEL_OUTER: all blocks of a level come first."""
    program = tl.program_id(0)
    if LEVEL_OUTER:
        point_blocks = tl.cdiv(count, BLOCK)
        return program % point_blocks, program // point_blocks
    else:  # noqa: RET505
        return program // levels, program % levels


@jit
def read_grid(
    points, point_stride, axis_stride, table, levels, tangent, along_stride, across_stride, out,
    jacobian, count, active, stride, FEATURES: constexpr, LANES: constexpr, BLOCK: constexpr,
    REAL: constexpr, JVP: constexpr, JACOBIAN: constexpr, LEVEL_OUTER: constexpr,
):  # fmt: skip
    """Write features, or with JVP their change along the tangents; with JACOBIAN that too."""
    block, level = block_and_level(count, active, BLOCK, LEVEL_OUTER)
    point = block.to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside, lane = point < count, tl.arange(0, LANES)
    here = feature_mask(inside, lane, FEATURES, LANES)
    resolution, first, mask, dense, factor_y, factor_z = read_level(levels, level, REAL)
    px, py, pz = read_vectors(points, point, inside, point_stride, axis_stride, REAL)
    x, u = cell(px, resolution)
    y, v = cell(py, resolution)
    z, w = cell(pz, resolution)
    if JVP:
        s, t, r = read_vectors(tangent, point, inside, along_stride, across_stride, REAL)
    total = tl.zeros((BLOCK, LANES), REAL)
    along_x, along_y, along_z = total, total, total
    for corner in tl.static_range(8):
        row = first + corner_row(x, y, z, mask, dense, factor_y, factor_z, corner)
        row_at = table + row[:, None] * FEATURES + lane[None, :]
        value = tl.load(row_at, mask=here, other=0.0).to(REAL)
        a, b, c, da, db, dc = corner_axis_weights(u, v, w, resolution, corner)
        if JVP:
            total += corner_weight_jvp(a, b, c, da, db, dc, s, t, r)[:, None] * value
        else:
            total += (a * b * c)[:, None] * value
        if JACOBIAN:
            along_x += (da * b * c)[:, None] * value
            along_y += (a * db * c)[:, None] * value
            along_z += (a * b * dc)[:, None] * value
    # level * FEATURES is widened first: channels times points may pass 2^31
    at = (level.to(tl.int64) * FEATURES + lane)[None, :] * count + point[:, None]
    tl.store(out + at, total, mask=here)
    if JACOBIAN:
        tl.store(jacobian + at, along_x, mask=here)
        tl.store(jacobian + stride + at, along_y, mask=here)
        tl.store(jacobian + stride + stride + at, along_z, mask=here)


@jit
def project_grid(
    points, point_stride, axis_stride, table, levels, grad, grad_stride, channel_stride, tangent,
    along_stride, across_stride, out, count, ACTIVE: constexpr, FEATURES: constexpr,
    LANES: constexpr, BLOCK: constexpr, REAL: constexpr, HVP: constexpr,
):  # fmt: skip
    """Write ``J^T grad``, or with HVP ``H tangent``, summed over all active levels."""
    point = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside, lane = point < count, tl.arange(0, LANES)
    here = feature_mask(inside, lane, FEATURES, LANES)
    px, py, pz = read_vectors(points, point, inside, point_stride, axis_stride, REAL)
    if HVP:
        s, t, r = read_vectors(tangent, point, inside, along_stride, across_stride, REAL)
    to_x = tl.zeros((BLOCK,), REAL)
    to_y, to_z = to_x, to_x
    for level in range(ACTIVE):
        resolution, first, mask, dense, factor_y, factor_z = read_level(levels, level, REAL)
        x, u = cell(px, resolution)
        y, v = cell(py, resolution)
        z, w = cell(pz, resolution)
        channel = (level * FEATURES + lane) * channel_stride
        at = grad + point[:, None] * grad_stride + channel[None, :]
        g = tl.load(at, mask=here, other=0.0).to(REAL)
        for corner in tl.static_range(8):
            row = first + corner_row(x, y, z, mask, dense, factor_y, factor_z, corner)
            row_at = table + row[:, None] * FEATURES + lane[None, :]
            value = tl.sum(tl.load(row_at, mask=here, other=0.0).to(REAL) * g, 1)
            a, b, c, da, db, dc = corner_axis_weights(u, v, w, resolution, corner)
            if HVP:
                to_x += da * (db * t * c + b * dc * r) * value
                to_y += db * (da * s * c + a * dc * r) * value
                to_z += dc * (da * s * b + a * db * t) * value
            else:
                to_x += da * b * c * value
                to_y += a * db * c * value
                to_z += a * b * dc * value
    tl.store(out + point, to_x, mask=inside)
    tl.store(out + count + point, to_y, mask=inside)
    tl.store(out + count + count + point, to_z, mask=inside)


def gather(
    points: Tensor, table: Tensor, tangent: Tensor | None, layout: GridLayout, active: int,
    *, jacobian: bool, tuning: Tuning = DEFAULT_TUNING,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return features, or their change along ``tangent``, and with ``jacobian`` their Jacobian."""
    language, dtype = accumulation_dtype(points)
    count, channels, written = len(points), layout.channels, layout.features * active
    new = partial(torch.empty, device=points.device, dtype=dtype)
    out, along = new(channels, count), new((3, channels, count) if jacobian else (3, 0, 0))
    out[written:] = 0
    along[:, written:] = 0
    launch(
        read_grid,
        (cdiv(count, tuning.block) * active,),
        *with_strides(points),
        table.detach().contiguous(),
        level_table(points.device, layout),
        *with_strides(points if tangent is None else tangent),
        out,
        along,
        count,
        active,
        channels * count,
        FEATURES=layout.features,
        LANES=next_power_of_two(layout.features),
        BLOCK=tuning.block,
        REAL=language,
        JVP=tangent is not None,
        JACOBIAN=jacobian,
        LEVEL_OUTER=tuning.level_outer,
        num_warps=tuning.warps,
    )
    return out.t(), along


def project(
    points: Tensor, table: Tensor, grad: Tensor, tangent: Tensor | None, layout: GridLayout,
    active: int, *, tuning: Tuning = DEFAULT_TUNING,
) -> Tensor:  # fmt: skip
    """Return ``J^T grad``, or with a tangent ``H tangent``."""
    language, dtype = accumulation_dtype(points)
    out = torch.empty(3, len(points), device=points.device, dtype=dtype)
    launch(
        project_grid,
        (cdiv(len(points), tuning.block),),
        *with_strides(points),
        table.detach().contiguous(),
        level_table(points.device, layout),
        *with_strides(grad),
        *with_strides(points if tangent is None else tangent),
        out,
        len(points),
        ACTIVE=active,
        FEATURES=layout.features,
        LANES=next_power_of_two(layout.features),
        BLOCK=tuning.block,
        REAL=language,
        HVP=tangent is not None,
        num_warps=tuning.warps,
    )
    return out.t()
