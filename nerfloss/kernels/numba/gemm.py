"""Matrix products of small networks, in LLVM vector instructions along the points of a block.

A block is ``rows BLOCK``, points fastest. Products are computed in tiles that stay in registers,
each weight multiplied by a vector of points: as fast as a vendor's library, without calling one
from a loop, and without its threads.
"""
# ruff: noqa: ARG001 (numba reads the signatures of intrinsics)
# pyright: reportCallIssue=false

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.vector_ir import (
    LANES,
    VECTOR,
    broadcast,
    data_and_width,
    load,
    multiply_add,
    number,
    procedure,
    store,
)

# A block of 64 rows stays in the first-level cache. With 256 points, the lines that a tile reads
# from its rows would meet in a quarter of that cache's sets, and evict each other.
BLOCK = 128
# Rows and vectors of a tile: its sums fill about half of the registers.
_ROWS, _VECTORS = 4, 4 if LANES == 16 else 2


@compiled
def multiply(weight, bias, inputs, outputs):
    """Write ``weight @ inputs + bias``: ``outputs BLOCK``, ``inputs BLOCK``, ``outputs 1``."""
    rows, depth = weight.shape
    _product(weight, depth, 1, rows, depth, bias, inputs, outputs)


@compiled
def multiply_transposed(weight, bias, inputs, outputs):
    """Write ``weight.T @ inputs + bias``."""
    depth, rows = weight.shape
    _product(weight, 1, rows, rows, depth, bias, inputs, outputs)


@compiled
def _product(weight, over_rows, over_depth, rows, depth, bias, inputs, outputs):
    whole = rows - rows % _ROWS
    for column in range(0, BLOCK, _VECTORS * LANES):
        for row in range(0, whole, _ROWS):
            _tile4(weight, over_rows, over_depth, depth, bias, inputs, outputs, row, column)
        if rows - whole == 1:
            _tile1(weight, over_rows, over_depth, depth, bias, inputs, outputs, whole, column)
        elif rows - whole == 2:
            _tile2(weight, over_rows, over_depth, depth, bias, inputs, outputs, whole, column)
        elif rows - whole == 3:
            _tile3(weight, over_rows, over_depth, depth, bias, inputs, outputs, whole, column)


def _tile(rows):
    """Return the generator of a tile of ``rows`` rows and _VECTORS vectors, summed in registers."""

    def generate(context, builder, signature, args):
        weight, over_rows, over_depth, depth, bias, inputs, outputs, row, column = args
        kinds = signature.args
        w, _ = data_and_width(context, builder, kinds[0], weight)
        b, _ = data_and_width(context, builder, kinds[4], bias)
        x, _ = data_and_width(context, builder, kinds[5], inputs)
        y, _ = data_and_width(context, builder, kinds[6], outputs)
        sums = [
            [cgutils.alloca_once(builder, VECTOR) for _ in range(_VECTORS)] for _ in range(rows)
        ]
        places = [builder.add(row, number(r)) for r in range(rows)]
        for r in range(rows):
            start = broadcast(builder, builder.load(builder.gep(b, [places[r]])))
            for v in range(_VECTORS):
                builder.store(start, sums[r][v])
        with cgutils.for_range(builder, depth) as loop:
            first = builder.add(builder.mul(loop.index, number(BLOCK)), column)
            vectors = [
                load(builder, x, builder.add(first, number(v * LANES))) for v in range(_VECTORS)
            ]
            along = builder.mul(loop.index, over_depth)
            for r in range(rows):
                at = builder.add(builder.mul(places[r], over_rows), along)
                factor = broadcast(builder, builder.load(builder.gep(w, [at])))
                for v in range(_VECTORS):
                    multiply_add(builder, factor, vectors[v], sums[r][v])
        for r in range(rows):
            first = builder.add(builder.mul(places[r], number(BLOCK)), column)
            for v in range(_VECTORS):
                at = builder.add(first, number(v * LANES))
                store(builder, builder.load(sums[r][v]), y, at)

    return procedure(generate)


def _signature(weight, bias, inputs, outputs):
    whole = types.intp
    return types.void(weight, whole, whole, whole, bias, inputs, outputs, whole, whole)


@intrinsic
def _tile1(typingctx, weight, over_rows, over_depth, depth, bias, inputs, outputs, row, column):
    return _signature(weight, bias, inputs, outputs), _tile(1)


@intrinsic
def _tile2(typingctx, weight, over_rows, over_depth, depth, bias, inputs, outputs, row, column):
    return _signature(weight, bias, inputs, outputs), _tile(2)


@intrinsic
def _tile3(typingctx, weight, over_rows, over_depth, depth, bias, inputs, outputs, row, column):
    return _signature(weight, bias, inputs, outputs), _tile(3)


@intrinsic
def _tile4(typingctx, weight, over_rows, over_depth, depth, bias, inputs, outputs, row, column):
    return _signature(weight, bias, inputs, outputs), _tile(_ROWS)
