"""Reading the hash grid in Triton: features, their change, their jacobian, and projections of these.

One program is a block of points in one level (`read_grid`), or in all levels one after the other,
where it sums over them (`project_grid`). Features lie next to each other in a row, so a corner is
one load; points run fastest in what is written, so stores are whole lines.
"""

from functools import partial

import torch
from torch import Tensor

from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.triton.grid_cells import (
    cell,
    corner_ends,
    corner_row,
    held_lanes,
    levels_on,
    read_level,
    read_vectors,
    slopes_along,
)
from nerfloss.kernels.triton.language import (
    blocks,
    constexpr,
    jit,
    lanes,
    launch,
    real,
    strided,
    tl,
)
from nerfloss.kernels.triton.tuning import MEASURED, Tuning


@jit
def block_and_level(count, levels, BLOCK: constexpr, LEVEL_OUTER: constexpr):
    """What this program works on. Level outer: all points of a level, then the next level."""
    program = tl.program_id(0)
    if LEVEL_OUTER:
        blocks = tl.cdiv(count, BLOCK)
        return program % blocks, program // blocks
    else:  # noqa: RET505
        return program // levels, program % levels


@jit
def read_grid(
    points, point_stride, axis_stride, table, levels, tangent, along_stride, across_stride, out,
    jacobian, count, active, stride, FEATURES: constexpr, LANES: constexpr, BLOCK: constexpr,
    REAL: constexpr, TILTED: constexpr, SLOPES: constexpr, LEVEL_OUTER: constexpr,
):  # fmt: skip
    """Write features, or with TILTED their change along the tangents; with SLOPES these too."""
    block, level = block_and_level(count, active, BLOCK, LEVEL_OUTER)
    point = block.to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside, lane = point < count, tl.arange(0, LANES)
    here = held_lanes(inside, lane, FEATURES, LANES)
    resolution, first, mask, dense, factor_y, factor_z = read_level(levels, level, REAL)
    px, py, pz = read_vectors(points, point, inside, point_stride, axis_stride, REAL)
    x, u = cell(px, resolution)
    y, v = cell(py, resolution)
    z, w = cell(pz, resolution)
    if TILTED:
        s, t, r = read_vectors(tangent, point, inside, along_stride, across_stride, REAL)
    total = tl.zeros((BLOCK, LANES), REAL)
    along_x, along_y, along_z = total, total, total
    for corner in tl.static_range(8):
        row = first + corner_row(x, y, z, mask, dense, factor_y, factor_z, corner)
        row_at = table + row[:, None] * FEATURES + lane[None, :]
        value = tl.load(row_at, mask=here, other=0.0).to(REAL)
        a, b, c, da, db, dc = corner_ends(u, v, w, resolution, corner)
        if TILTED:
            total += slopes_along(a, b, c, da, db, dc, s, t, r)[:, None] * value
        else:
            total += (a * b * c)[:, None] * value
        if SLOPES:
            along_x += (da * b * c)[:, None] * value
            along_y += (a * db * c)[:, None] * value
            along_z += (a * b * dc)[:, None] * value
    # level * FEATURES is widened first: channels times points may pass 2^31
    at = (level.to(tl.int64) * FEATURES + lane)[None, :] * count + point[:, None]
    tl.store(out + at, total, mask=here)
    if SLOPES:
        tl.store(jacobian + at, along_x, mask=here)
        tl.store(jacobian + stride + at, along_y, mask=here)
        tl.store(jacobian + stride + stride + at, along_z, mask=here)


@jit
def project_grid(
    points, point_stride, axis_stride, table, levels, grad, grad_stride, channel_stride, tangent,
    along_stride, across_stride, out, count, ACTIVE: constexpr, FEATURES: constexpr,
    LANES: constexpr, BLOCK: constexpr, REAL: constexpr, BENT: constexpr,
):  # fmt: skip
    """Write ``J^T grad``, or with BENT ``H tangent``: sums over all active levels."""
    point = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside, lane = point < count, tl.arange(0, LANES)
    here = held_lanes(inside, lane, FEATURES, LANES)
    px, py, pz = read_vectors(points, point, inside, point_stride, axis_stride, REAL)
    if BENT:
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
            a, b, c, da, db, dc = corner_ends(u, v, w, resolution, corner)
            if BENT:
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


def read(
    points: Tensor, table: Tensor, tangent: Tensor | None, layout: GridLayout, active: int,
    *, jacobian: bool, tuning: Tuning = MEASURED,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Features, or their change along ``tangent``, and with ``jacobian`` their derivatives."""
    language, dtype = real(points)
    count, channels, written = len(points), layout.channels, layout.features * active
    new = partial(torch.empty, device=points.device, dtype=dtype)
    out, along = new(channels, count), new((3, channels, count) if jacobian else (3, 0, 0))
    out[written:] = 0
    along[:, written:] = 0
    launch(
        read_grid,
        (blocks(count, tuning.block) * active,),
        *strided(points),
        table.detach().contiguous(),
        levels_on(points.device, layout),
        *strided(points if tangent is None else tangent),
        out,
        along,
        count,
        active,
        channels * count,
        FEATURES=layout.features,
        LANES=lanes(layout.features),
        BLOCK=tuning.block,
        REAL=language,
        TILTED=tangent is not None,
        SLOPES=jacobian,
        LEVEL_OUTER=tuning.level_outer,
        num_warps=tuning.warps,
    )
    return out.t(), along


def project(
    points: Tensor, table: Tensor, grad: Tensor, tangent: Tensor | None, layout: GridLayout,
    active: int, *, tuning: Tuning = MEASURED,
) -> Tensor:  # fmt: skip
    """``J^T grad``, or with a tangent the second derivative of ``grad . f`` along it."""
    language, dtype = real(points)
    out = torch.empty(3, len(points), device=points.device, dtype=dtype)
    launch(
        project_grid,
        (blocks(len(points), tuning.block),),
        *strided(points),
        table.detach().contiguous(),
        levels_on(points.device, layout),
        *strided(grad),
        *strided(points if tangent is None else tangent),
        out,
        len(points),
        ACTIVE=active,
        FEATURES=layout.features,
        LANES=lanes(layout.features),
        BLOCK=tuning.block,
        REAL=language,
        BENT=tangent is not None,
        num_warps=tuning.warps,
    )
    return out.t()
