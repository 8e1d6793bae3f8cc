"""Carving of a grid by silhouettes, in blocks of cells.

A block whose projection lies wholly inside or wholly outside of a mask is decided at once: the
mask's summed-area table shows which in constant time. Only blocks on an outline are tested cell by
cell.
"""

from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.threads import parallel_for, run_tasks

# Cells along each edge of a block.
EDGE = 8
# Views whose summed-area tables are in memory at once: 80 MB at 800 x 800 pixels.
VIEWS = 32
CARVED, KEPT, MIXED = 0, 1, 2


def carve(
    masks: UInt8[Tensor, "views height width"],
    to_pixels: Float[Tensor, "views 3 4"],
    resolution: int,
    *,
    opaque: int,
    dilate: int = 0,
    votes: int = 1,
    sizes: Int[Tensor, "views 2"] | None = None,
) -> Bool[Tensor, "x y z"]:
    """Return the cells of a cubic grid that fewer than ``votes`` views see outside of their masks.

    ``to_pixels`` (float64) maps the index of a cell to its centre's pixel (column, row, 1) times
    its depth. A mask is where ``masks`` is at least ``opaque``, dilated by ``dilate`` pixels. A
    view has no vote on cells behind its camera or outside of its image. ``sizes`` are the (width,
    height) of images stored in the top left corner of larger ones; None: they fill them.
    """
    needed = np.full((resolution,) * 3, votes, dtype=np.int16)
    blocks = (-(-resolution // EDGE)) ** 3
    height, width = masks.shape[1:]
    if sizes is None:
        sizes = torch.tensor([[width, height]]).repeat(len(masks), 1)
    sums = np.empty((min(VIEWS, len(masks)), height + 1, width + 1), np.int32)
    parts = (masks.split(VIEWS), to_pixels.split(VIEWS), sizes.split(VIEWS))
    for some, matrices, extent in zip(*parts, strict=True):
        pixels, chosen = some.numpy(), matrices.numpy()
        run_tasks(partial(_sum, pixels[i], opaque, dilate, sums[i]) for i in range(len(some)))
        parallel_for(
            blocks, partial(_carve, needed, sums, chosen, extent.numpy()), least=256, block=1
        )
    return torch.from_numpy(needed > 0)


@compiled
def _sum(mask, opaque, dilate, sums):
    """Write ``sums[r, c]``, the number of mask pixels above row r and left of column c."""
    height, width = mask.shape
    sums[0] = 0
    for row in range(height):
        sums[row + 1, 0], total = 0, 0
        for column in range(width):
            total += mask[row, column] >= opaque
            sums[row + 1, column + 1] = sums[row, column + 1] + total
    if dilate == 0:
        return
    narrow = sums.copy()
    for row in range(height):
        top, bottom = max(row - dilate, 0), min(row + dilate + 1, height)
        total = 0
        for column in range(width):
            left, right = max(column - dilate, 0), min(column + dilate + 1, width)
            total += _count_in_window(narrow, top, bottom, left, right) > 0
            sums[row + 1, column + 1] = sums[row, column + 1] + total


@compiled
def _count_in_window(sums, top, bottom, left, right):
    return sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]


@compiled
def _carve(needed, sums, to_pixels, sizes, begin, end):
    """Subtract the votes of views from those that are ``needed`` to carve a cell."""
    size = needed.shape[0]
    blocks = (size + EDGE - 1) // EDGE
    for block in range(begin, end):
        x, y, z = block // (blocks * blocks), block // blocks % blocks, block % blocks
        low = (x * EDGE, y * EDGE, z * EDGE)
        high = (min(low[0] + EDGE, size), min(low[1] + EDGE, size), min(low[2] + EDGE, size))
        cells = needed[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        for view in range(len(to_pixels)):
            if cells.max() <= 0:
                break
            kind = _classify_block(to_pixels[view], sums[view], sizes[view], low, high)
            if kind == CARVED:
                cells -= 1
            elif kind == MIXED:
                _carve_cells(cells, sums[view], sizes[view], to_pixels[view], low)


@compiled
def _classify_block(to_pixel, sums, size, low, high):
    """Return CARVED, KEPT, or MIXED where the cells of a block must be tested one by one."""
    width, height = size[0], size[1]
    left, right, top, bottom = np.inf, -np.inf, np.inf, -np.inf
    for corner in range(8):
        x = low[0] if corner & 1 else high[0] - 1
        y = low[1] if corner & 2 else high[1] - 1
        z = low[2] if corner & 4 else high[2] - 1
        column, row, depth = _project(to_pixel, x, y, z)
        if depth <= 0:
            return MIXED
        left, right = min(left, column), max(right, column)
        top, bottom = min(top, row), max(bottom, row)
    # Corners bound what lies between them, up to rounding.
    first, last = np.floor(left - 1e-6), np.floor(right + 1e-6)
    upper, lower = np.floor(top - 1e-6), np.floor(bottom + 1e-6)
    if last < 0 or first >= width or lower < 0 or upper >= height:
        return KEPT
    i, j = int(max(upper, 0)), int(min(lower, height - 1)) + 1
    k, m = int(max(first, 0)), int(min(last, width - 1)) + 1
    filled = _count_in_window(sums, i, j, k, m)
    if filled == (j - i) * (m - k):
        return KEPT
    beyond = first < 0 or last >= width or upper < 0 or lower >= height
    return CARVED if filled == 0 and not beyond else MIXED


@compiled
def _carve_cells(cells, sums, size, to_pixel, low):
    width, height = size[0], size[1]
    for x in range(cells.shape[0]):
        for y in range(cells.shape[1]):
            for z in range(cells.shape[2]):
                if cells[x, y, z] <= 0:
                    continue
                column, row, depth = _project(to_pixel, low[0] + x, low[1] + y, low[2] + z)
                column, row = np.floor(column), np.floor(row)
                seen = depth > 0 and 0 <= column < width and 0 <= row < height
                if seen:
                    i, k = int(row), int(column)
                    cells[x, y, z] -= _count_in_window(sums, i, i + 1, k, k + 1) == 0


@compiled
def _project(m, x, y, z):
    """Return column, row and depth of a cell's centre; valid where the depth is positive."""
    depth = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
    column = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
    row = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
    return column / depth, row / depth, depth
