"""The scatter into the hash grid in Triton: all points add to their corners' rows by atomics.

A row of two features is one packed atomic where the processor has them (float32 on compute
capability 9 and above, 16-bit types below too): Triton combines neighbouring lanes. Sums are
float32 whatever the table's dtype.
"""

import torch
from torch import Tensor

from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.triton.grid_cells import (
    COLUMNS,
    cell,
    corner_axis_weights,
    corner_row,
    corner_weight_jvp,
    feature_mask,
    level_table,
    read_level,
    read_vectors,
)
from nerfloss.kernels.triton.grid_gather import block_and_level
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
def add_to_grid(
    points, point_stride, axis_stride, levels, grad, grad_stride, channel_stride, tangent,
    along_stride, across_stride, jvp_grad, jvp_grad_stride, jvp_channel_stride, out, count,
    active, FEATURES: constexpr, LANES: constexpr, BLOCK: constexpr, REAL: constexpr,
    JVP: constexpr, LEVEL_OUTER: constexpr,
):  # fmt: skip
    """Add ``w grad``, and with JVP ``(dw . tangent) jvp_grad``, to every corner's row.

    In a level with copies, neighbouring points add to neighbouring copies of a row: points of a
    ray that share a cell then fill whole lines, and do not contend for one address.
    """
    block, level = block_and_level(count, active, BLOCK, LEVEL_OUTER)
    point = block.to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside, lane = point < count, tl.arange(0, LANES)
    here = feature_mask(inside, lane, FEATURES, LANES)
    resolution, first, mask, dense, factor_y, factor_z = read_level(levels, level, REAL)
    copies = tl.load(levels + level * COLUMNS + 6)
    own = first + point % copies
    px, py, pz = read_vectors(points, point, inside, point_stride, axis_stride, REAL)
    x, u = cell(px, resolution)
    y, v = cell(py, resolution)
    z, w = cell(pz, resolution)
    channel = (level.to(tl.int64) * FEATURES + lane)[None, :]
    at = grad + point[:, None] * grad_stride + channel * channel_stride
    g = tl.load(at, mask=here, other=0.0).to(REAL)
    if JVP:
        s, t, r = read_vectors(tangent, point, inside, along_stride, across_stride, REAL)
        at = jvp_grad + point[:, None] * jvp_grad_stride + channel * jvp_channel_stride
        h = tl.load(at, mask=here, other=0.0).to(REAL)
    for corner in tl.static_range(8):
        row = corner_row(x, y, z, mask, dense, factor_y, factor_z, corner) * copies + own
        a, b, c, da, db, dc = corner_axis_weights(u, v, w, resolution, corner)
        update = (a * b * c)[:, None] * g
        if JVP:
            update += corner_weight_jvp(a, b, c, da, db, dc, s, t, r)[:, None] * h
        to = out + row[:, None] * FEATURES + lane[None, :]
        # "relaxed": nothing reads the result before the kernel ends, so no order is needed
        tl.atomic_add(to, update.to(out.dtype.element_ty), mask=here, sem="relaxed")


def scatter(
    points: Tensor, grad: Tensor, tangent: Tensor | None, jvp_grad: Tensor | None, layout:
    GridLayout, active: int, *, dtype: torch.dtype | None = None, tuning: Tuning = DEFAULT_TUNING,
) -> Tensor:  # fmt: skip
    """Return the gradient of ``grad . f + jvp_grad . J tangent`` with respect to the table.

    It is accumulated in ``dtype``, by default that of `accumulation_dtype`.
    """
    language, widest = accumulation_dtype(points)
    copies = tuning.copies_of(layout, len(points))
    rows = layout.entries + sum(
        grid.entries * each for grid, each in zip(layout.grids, copies, strict=True) if each > 1
    )
    out = torch.zeros(rows, layout.features, device=points.device, dtype=dtype or widest)
    with_tangent = tangent is not None and jvp_grad is not None
    along, jvp_grad = (tangent, jvp_grad) if with_tangent else (points, grad)
    assert along is not None
    assert jvp_grad is not None
    launch(
        add_to_grid,
        (cdiv(len(points), tuning.block) * active,),
        *with_strides(points),
        level_table(points.device, layout, copies),
        *with_strides(grad),
        *with_strides(along),
        *with_strides(jvp_grad),
        out,
        len(points),
        active,
        FEATURES=layout.features,
        LANES=next_power_of_two(layout.features),
        BLOCK=tuning.block,
        REAL=language,
        JVP=with_tangent,
        LEVEL_OUTER=tuning.level_outer,
        num_warps=tuning.warps,
    )
    return _added_up(out, layout, copies)


def _added_up(out: Tensor, layout: GridLayout, copies: tuple[int, ...]) -> Tensor:
    """Return the table's rows, with the copies that follow them summed into them."""
    behind = layout.entries
    for grid, each in zip(layout.grids, copies, strict=True):
        if each > 1:
            rows = out[behind : behind + grid.entries * each].unflatten(0, (grid.entries, each))
            out[grid.offset : grid.offset + grid.entries] = rows.sum(1)
            behind += grid.entries * each
    return out[: layout.entries]
