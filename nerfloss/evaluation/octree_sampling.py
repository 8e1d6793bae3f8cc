"""Sample a field on a fine grid near its surface only, by refining an octree of blocks.

A block is dropped where the value at its centre proves that the surface does not reach it; the
others are cut in eight, down to blocks of 2 cells, whose grid nodes are evaluated. Where the
surface leaves an evaluated block through a face, the neighbouring block is evaluated too, so a
field steeper than assumed causes no holes in a surface that was found. Neighbouring blocks share
their nodes. Outside of a `Region` the field is not evaluated and counts as empty.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from nerfloss.evaluation.sparse_lattice import COARSEST, LEAF, LEVELS, FieldSampler
from nerfloss.evaluation.stage_progress import Progress, silent

BLOCKS_AT_ONCE = 2**13


def sample_near_surface(
    sampler: FieldSampler, lipschitz: float | None, progress: Progress = silent
) -> Float[np.ndarray, "x y z"]:
    """Return values at all nodes: exact near the zero level, elsewhere of the right sign.

    ``lipschitz`` bounds the length of the field's gradient; None where no bound is known.
    """
    if lipschitz is None:
        active, block_values = blocks_by_sign(sampler, progress)
    else:
        active, block_values = blocks_by_distance(sampler, lipschitz)
    volume = _values_of_nodes(block_values)
    flat, evaluated = volume.reshape(-1), np.zeros(volume.size, dtype=bool)
    offsets = _grid_indices([LEAF + 1] * 3)
    queue, done = np.argwhere(active), 0
    while len(queue):
        neighbours = []
        for begin in range(0, len(queue), BLOCKS_AT_ONCE):
            blocks = queue[begin : begin + BLOCKS_AT_ONCE]
            index = np.moveaxis(LEAF * blocks[:, None] + offsets, -1, 0)
            node = np.asarray(np.ravel_multi_index(tuple(index), volume.shape))
            new = np.unique(node[~evaluated[node]])
            flat[new] = sampler.at_nodes(np.stack(np.unravel_index(new, volume.shape), 1))
            evaluated[new] = True
            cube = flat[node].reshape(len(blocks), *[LEAF + 1] * 3)
            neighbours.append(_crossed_neighbours(blocks, cube, active, block_values))
            progress("blocks at the surface", done + begin + len(blocks), done + len(queue))
        done += len(queue)
        queue = np.unique(np.concatenate(neighbours), axis=0)
        active[tuple(queue.T)] = True
    return volume


def blocks_by_distance(
    sampler: FieldSampler, lipschitz: float
) -> tuple[Bool[np.ndarray, "x y z"], Float[np.ndarray, "x y z"]]:
    """Return the leaf blocks that can hold the surface, and a value of the right sign for each.

    A block is dropped where ``|f(centre)| > lipschitz * half its diagonal``, unless it is solid and
    cut by the border of the region.
    """
    size = COARSEST
    blocks = _grid_indices(sampler.lattice.cells // size)
    signs = np.ones(tuple(sampler.lattice.cells // size), dtype=np.float32)
    for level in range(LEVELS):
        touches, inside = sampler.overlap(blocks, size)
        blocks, inside = blocks[touches], inside[touches]
        values = sampler.at_block_centers(blocks, size)
        signs[tuple(blocks.T)] = values
        half_diagonal = 0.5 * size * float(np.linalg.norm(sampler.lattice.spacing))
        # NaN compares as false and keeps its block, so that it is reported.
        empty_or_solid = np.abs(values) > lipschitz * half_diagonal
        blocks = blocks[~(empty_or_solid & (inside | (values > 0)))]
        if level < LEVELS - 1:
            blocks = (2 * blocks[:, None] + _grid_indices([2] * 3)).reshape(-1, 3)
            size, signs = size // 2, _repeat(signs)
            signs[tuple(blocks.T)] = 1.0  # replaced wherever a block touches the region
    active = np.zeros(signs.shape, dtype=bool)
    active[tuple(blocks.T)] = True
    return active, signs


def blocks_by_sign(
    sampler: FieldSampler, progress: Progress = silent
) -> tuple[Bool[np.ndarray, "x y z"], Float[np.ndarray, "x y z"]]:
    """Return the leaf blocks whose corners differ in sign, and the value at each lowest corner.

    For fields without a bound on their gradient. Misses parts that are thinner than a block and
    connected to nothing thicker.
    """
    x, y, z = (int(cells) // LEAF + 1 for cells in sampler.lattice.cells)
    corners = np.empty((x, y, z), dtype=np.float32)
    plane = _grid_indices([1, y, z])
    for row in range(x):
        corners[row] = sampler.at_nodes(LEAF * (plane + np.array([row, 0, 0]))).reshape(y, z)
        progress("planes of the grid", row + 1, x)
    positive = np.lib.stride_tricks.sliding_window_view(corners > 0, (2, 2, 2))
    active = positive.any((3, 4, 5)) & ~positive.all((3, 4, 5))
    lowest = corners[:-1, :-1, :-1]
    # A comparison hides NaN, which has to be reported.
    return active | np.isnan(lowest), lowest


def _grid_indices(shape: list[int] | np.ndarray) -> Int[np.ndarray, "cells 3"]:
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 3)


def _repeat(coarse: np.ndarray) -> np.ndarray:
    """Return the values of blocks for each of their eight parts."""
    for axis in range(3):
        coarse = np.repeat(coarse, 2, axis)
    return coarse


def _values_of_nodes(block_values: Float[np.ndarray, "x y z"]) -> Float[np.ndarray, "i j k"]:
    """Return a value for each node: that of the leaf block above it, at the upper faces below."""
    # Written in place: np.repeat and np.pad would hold the volume twice.
    volume = np.empty([LEAF * count + 1 for count in block_values.shape], dtype=np.float32)
    for x, y, z in np.ndindex(LEAF, LEAF, LEAF):
        volume[x:-1:LEAF, y:-1:LEAF, z:-1:LEAF] = block_values
    volume[-1] = volume[-2]
    volume[:, -1] = volume[:, -2]
    volume[:, :, -1] = volume[:, :, -2]
    return volume


def _crossed_neighbours(
    blocks: Int[np.ndarray, "blocks 3"],
    nodes: Float[np.ndarray, "blocks i j k"],
    active: Bool[np.ndarray, "x y z"],
    block_values: Float[np.ndarray, "x y z"],
) -> Int[np.ndarray, "neighbours 3"]:
    """Return the inactive blocks behind a face that has a node of the other sign than they."""
    crossed = []
    for axis in range(3):
        for step, face in ((-1, 0), (1, LEAF)):
            neighbour = blocks.copy()
            neighbour[:, axis] += step
            exists = (neighbour[:, axis] >= 0) & (neighbour[:, axis] < active.shape[axis])
            neighbour = neighbour[exists]
            inactive = ~active[tuple(neighbour.T)]
            neighbour = neighbour[inactive]
            values = np.take(nodes[exists][inactive], face, axis + 1).reshape(-1, (LEAF + 1) ** 2)
            outside = block_values[tuple(neighbour.T)][:, None] > 0
            crossed.append(neighbour[((values > 0) != outside).any(1)])
    return np.unique(np.concatenate(crossed), axis=0)
