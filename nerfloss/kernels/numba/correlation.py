"""Sums over a block's points of products of rows, which are the gradients of weights and biases."""
# ruff: noqa: ARG001 (numba reads the signatures of intrinsics)
# pyright: reportCallIssue=false

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.gemm import BLOCK
from nerfloss.kernels.numba.vector_ir import (
    LANES,
    VECTOR,
    data_and_width,
    lanes,
    load,
    multiply_add,
    number,
    procedure,
    store,
    totals,
)

_ZERO = ir.Constant(VECTOR, [0.0] * LANES)


@compiled
def correlate(left, right, sums):
    """Add ``left @ right.T``, summed over the block's points, to ``sums``."""
    rows, columns = len(left), len(right)
    whole_rows, whole_columns = rows - rows % 4, columns - columns % 4
    for row in range(0, whole_rows, 4):
        for column in range(0, whole_columns, 4):
            _four_by_four(left, right, sums, row, column)
        _columns(left, right, sums, row, whole_columns)
    for row in range(whole_rows, rows):
        for column in range(0, whole_columns, 4):
            _one_by_four(left, right, sums, row, column)
        for column in range(whole_columns, columns):
            _one_by_one(left, right, sums, row, column)


@compiled
def _columns(left, right, sums, row, begin):
    """Add the products of four rows with the last columns, fewer than four."""
    if len(right) - begin == 1:
        _four_by_one(left, right, sums, row, begin)
    elif len(right) - begin == 2:
        _four_by_two(left, right, sums, row, begin)
    elif len(right) - begin == 3:
        _four_by_three(left, right, sums, row, begin)


def _tile(rows, columns):
    """Return the generator of ``rows`` x ``columns`` dot products of rows over a block."""

    def generate(context, builder, signature, args):
        left, right, sums, row, column = args
        a, _ = data_and_width(context, builder, signature.args[0], left)
        b, _ = data_and_width(context, builder, signature.args[1], right)
        out, width = data_and_width(context, builder, signature.args[2], sums)
        partial = [cgutils.alloca_once(builder, VECTOR) for _ in range(rows * columns)]
        for place in partial:
            builder.store(_ZERO, place)

        def vector(data, first, r, along):
            start = builder.mul(builder.add(first, number(r)), number(BLOCK))
            return load(builder, data, builder.add(start, along))

        with cgutils.for_range(builder, number(BLOCK // LANES)) as loop:
            along = builder.mul(loop.index, number(LANES))
            lefts = [vector(a, row, r, along) for r in range(rows)]
            rights = [vector(b, column, c, along) for c in range(columns)]
            for r in range(rows):
                for c in range(columns):
                    multiply_add(builder, lefts[r], rights[c], partial[r * columns + c])
        # Each row's sums take four lanes, of which the last may be unused.
        vectors = [
            builder.load(partial[r * columns + c]) if c < columns else _ZERO
            for r in range(rows)
            for c in range(4)
        ]
        vectors += [_ZERO] * (-len(vectors) % LANES)
        added = [totals(builder, vectors[k : k + LANES]) for k in range(0, len(vectors), LANES)]
        for r in range(rows):
            at = builder.add(builder.mul(builder.add(row, number(r)), width), column)
            first = 4 * r % LANES
            own = lanes(list(range(first, first + columns)))
            total = builder.shuffle_vector(added[4 * r // LANES], _ZERO, own)
            before = load(builder, out, at, columns)
            store(builder, builder.fadd(before, total), out, at)

    return procedure(generate)


def _signature(left, right, sums):
    return types.void(left, right, sums, types.intp, types.intp)


@intrinsic
def _four_by_four(typingctx, left, right, sums, row, column):
    return _signature(left, right, sums), _tile(4, 4)


@intrinsic
def _four_by_three(typingctx, left, right, sums, row, column):
    return _signature(left, right, sums), _tile(4, 3)


@intrinsic
def _four_by_two(typingctx, left, right, sums, row, column):
    return _signature(left, right, sums), _tile(4, 2)


@intrinsic
def _four_by_one(typingctx, left, right, sums, row, column):
    return _signature(left, right, sums), _tile(4, 1)


@intrinsic
def _one_by_four(typingctx, left, right, sums, row, column):
    return _signature(left, right, sums), _tile(1, 4)


@intrinsic
def _one_by_one(typingctx, left, right, sums, row, column):
    return _signature(left, right, sums), _tile(1, 1)
