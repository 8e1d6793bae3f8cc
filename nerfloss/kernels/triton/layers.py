"""Layers of a small network in Triton: a block of points, all of whose numbers stay on the chip.

Columns are points, as everywhere in the networks. Matrices are padded with zeros to the sizes that
Triton has: what is padded adds nothing to what is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nerfloss.kernels.triton.language import blocks, constexpr, jit, lanes, tl

# tl.dot takes no shorter side.
SHORTEST = 16
# The sums of a wider layer's derivatives would take all registers there are.
WIDEST = 64


@dataclass(frozen=True)
class Sharing:
    """Points per block, warps that share one, and programs that take turns at a backward pass.

    Every program has sums of its own, added up at the end: no atomics, the same bits each time.
    """

    points: int = 64
    warps: int = 4
    programs: int = 264  # two for each of an H200's processors

    def of(self, count: int) -> int:
        """How many programs share so many points in a backward pass."""
        return min(self.programs, blocks(count, self.points))


GUESSED = Sharing()


def fits(inputs: Tensor, parameters: Sequence[Tensor]) -> bool:
    """Whether the kernels are made for these: one or two hidden layers of one width, none wide.

    Processors before 8.0 have too little shared memory, and no tensor cores for float32.
    """
    if inputs.device.type == "cuda" and not _has_tensor_cores(inputs.device):
        return False
    weights = parameters[::2]
    widths = {len(weight) for weight in weights[:-1]}
    widest = max(len(inputs), *(len(weight) for weight in weights))
    alike = all(each.dtype == torch.float32 for each in (inputs, *parameters))
    return alike and len(weights) in (2, 3) and len(widths) == 1 and widest <= WIDEST


def padded(rows: int) -> int:
    """Rows of a block that hold so many."""
    return max(SHORTEST, lanes(rows))


def fixed(inputs: Tensor, parameters: Sequence[Tensor], sharing: Sharing) -> dict[str, Any]:
    """What is known of a network when its kernels are compiled."""
    width, outputs, x = len(parameters[0]), len(parameters[-1]), len(inputs)
    return {
        "INPUTS": x, "WIDTH": width, "OUTPUTS": outputs,
        "X": padded(x), "H": padded(width), "Y": padded(outputs),
        "HIDDEN": len(parameters) // 2 - 1, "POINTS": sharing.points, "num_warps": sharing.warps,
        "PRECISION": precision(inputs.device),
    }  # fmt: skip


def first_middle_last(parameters: Sequence[Tensor]) -> list[Tensor]:
    """Weights and biases of three layers; where there are two, the first stands for the middle."""
    held = [each.detach().contiguous() for each in parameters]
    return held if len(held) == 6 else [*held[:2], *held]


def precision(device: torch.device) -> str:
    """How products are made: with tensor cores, three for one, so that float32's digits stay.

    The interpreter has none.
    """
    return "tf32x3" if device.type == "cuda" and _has_tensor_cores(device) else "ieee"


def _has_tensor_cores(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= (8, 0)


@jit
def read_matrix(matrix, rows, columns, ROWS: constexpr, COLUMNS: constexpr):
    """A matrix whose rows lie one after the other, padded with zeros."""
    row, column = tl.arange(0, ROWS)[:, None], tl.arange(0, COLUMNS)[None, :]
    inside = (row < rows) & (column < columns)
    return tl.load(matrix + row * columns + column, mask=inside, other=0.0)


@jit
def read_three(
    w0, w1, w2, inputs, width, outputs, X: constexpr, H: constexpr, Y: constexpr, HIDDEN: constexpr
):  # fmt: skip
    """The matrices of all layers; where one layer is hidden, the first stands for the middle."""
    first = read_matrix(w0, width, inputs, H, X)
    middle = first
    if HIDDEN == 2:
        middle = read_matrix(w1, width, width, H, H)
    return first, middle, read_matrix(w2, outputs, width, Y, H)


@jit
def read_column(vector, rows, ROWS: constexpr):
    """A vector, padded with zeros."""
    row = tl.arange(0, ROWS)
    return tl.load(vector + row, mask=row < rows, other=0.0)[:, None]


@jit
def read_points(values, row_stride, stride, point, count, rows, ROWS: constexpr):
    """The numbers of a block of points, 0 beyond the last one."""
    row = tl.arange(0, ROWS)[:, None].to(tl.int64)
    inside = (row < rows) & (point < count)[None, :]
    return tl.load(values + row * row_stride + point[None, :] * stride, mask=inside, other=0.0)


@jit
def write_points(values, block, point, count, rows, ROWS: constexpr):
    """Write the numbers of a block of points, all of a row one after the other."""
    row = tl.arange(0, ROWS)[:, None].to(tl.int64)
    inside = (row < rows) & (point < count)[None, :]
    tl.store(values + row * count + point[None, :], block, mask=inside)


@jit
def write_layer(
    matrices, vectors, matrix, vector, rows, columns, ROWS: constexpr, COLUMNS: constexpr
):  # fmt: skip
    """Write this program's sums of a layer's derivatives, behind those of the programs before."""
    row, column, program = tl.arange(0, ROWS), tl.arange(0, COLUMNS), tl.program_id(0).to(tl.int64)
    at = (program * rows + row[:, None]) * columns + column[None, :]
    tl.store(matrices + at, matrix, mask=(row < rows)[:, None] & (column < columns)[None, :])
    tl.store(vectors + program * rows + row, vector, mask=row < rows)


@jit
def times(a, b, PRECISION: constexpr):
    """``a b``, summed in float32."""
    return tl.dot(a, b, input_precision=PRECISION)


@jit
def transposed_times(a, b, PRECISION: constexpr):
    """``a^T b``."""
    return tl.dot(tl.trans(a), b, input_precision=PRECISION)


@jit
def times_transposed(a, b, PRECISION: constexpr):
    """``a b^T``: sums over points."""
    return tl.dot(a, tl.trans(b), input_precision=PRECISION)


def new_sums(parameters: Sequence[Tensor], programs: int) -> list[Tensor]:
    """Where every program writes its sums; for two layers, a spare pair stands in the middle."""
    sums = [each.new_empty(programs, *each.shape) for each in parameters]
    return sums if len(sums) == 6 else [*sums[:2], *sums]


def added_up(sums: Sequence[Tensor], parameters: Sequence[Tensor]) -> list[Tensor]:
    """Derivatives by the parameters."""
    own = sums if len(parameters) == 6 else [*sums[:2], *sums[4:]]
    return [each.sum(0) for each in own]
