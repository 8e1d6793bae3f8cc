"""Matrix products of small networks, in LLVM vector instructions along the points of a block.

A block is ``rows BLOCK``, points fastest. Products are computed in tiles that stay in registers,
each weight multiplied by a vector of points: as fast as a vendor's library, without calling one
from a loop, and without its threads.
"""
# ruff: noqa: ARG001 (numba reads the signatures of intrinsics)
# pyright: reportCallIssue=false

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nerfloss.kernels.numba.compile import compiled

BLOCK = 256
# float32 numbers in a vector register.
LANES = 16 if binding.get_host_cpu_features().get("avx512f", False) else 8
# Rows and vectors of a tile: its sums fill about half of the registers.
_ROWS, _VECTORS = 4, 4 if LANES == 16 else 2
_FLOAT, _INT = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)


@compiled
def multiply(weight, inputs, outputs):
    """Add ``weight @ inputs`` to ``outputs``: ``outputs inputs``, ``inputs BLOCK``."""
    rows, depth = weight.shape
    whole = rows - rows % _ROWS
    for column in range(0, BLOCK, _VECTORS * LANES):
        for row in range(0, whole, _ROWS):
            _tile(weight, row * depth, depth, 1, depth, inputs, outputs, row, column)
        for row in range(whole, rows):
            _line(weight, row * depth, depth, 1, depth, inputs, outputs, row, column)


@compiled
def multiply_transposed(weight, inputs, outputs):
    """Add ``weight.T @ inputs`` to ``outputs``."""
    depth, rows = weight.shape
    whole = rows - rows % _ROWS
    for column in range(0, BLOCK, _VECTORS * LANES):
        for row in range(0, whole, _ROWS):
            _tile(weight, row, 1, rows, depth, inputs, outputs, row, column)
        for row in range(whole, rows):
            _line(weight, row, 1, rows, depth, inputs, outputs, row, column)


@compiled
def correlate(left, right, sums):
    """Add ``left @ right.T``, summed over the block's points, to ``sums``."""
    rows, columns = len(left), len(right)
    whole_rows, whole_columns = rows - rows % 4, columns - columns % 4
    for row in range(0, whole_rows, 4):
        for column in range(0, whole_columns, 4):
            _square(left, right, sums, row, column)
    for row in range(rows):
        for column in range(whole_columns if row < whole_rows else 0, columns):
            _dot(left, right, sums, row, column)


def _data(context, builder, array_type, value):
    """Return a pointer to an array's data, and the length of its rows."""
    array = context.make_array(array_type)(context, builder, value)
    return array.data, cgutils.unpack_tuple(builder, array.shape)[-1]


def _vector_at(builder, data, offset):
    return builder.bitcast(builder.gep(data, [offset]), _VECTOR.as_pointer())


def _load(builder, data, offset):
    return builder.load(_vector_at(builder, data, offset), align=4)


def _broadcast(builder, number):
    """Return a vector with the same number in every lane."""
    empty, zero = ir.Constant(_VECTOR, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    first = builder.insert_element(empty, number, zero)
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, empty, lanes)


def _multiply_add(builder, factor, other, place):
    """Compute ``place += factor * other`` for a sum in a register."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    builder.store(builder.call(fma, [factor, other, builder.load(place)]), place)


def _constant(number):
    return ir.Constant(_INT, number)


def _product(rows):
    """Return the generator of a tile of ``rows`` rows and _VECTORS vectors, summed in registers."""

    def generate(context, builder, signature, args):
        weight, start, over_rows, over_depth, depth, inputs, outputs, row, column = args
        w, _ = _data(context, builder, signature.args[0], weight)
        x, width = _data(context, builder, signature.args[5], inputs)
        y, _ = _data(context, builder, signature.args[6], outputs)
        sums = [
            [cgutils.alloca_once(builder, _VECTOR) for _ in range(_VECTORS)] for _ in range(rows)
        ]

        def place(r, v):
            along = builder.add(column, _constant(v * LANES))
            return builder.add(builder.mul(builder.add(row, _constant(r)), width), along)

        for r in range(rows):
            for v in range(_VECTORS):
                builder.store(_load(builder, y, place(r, v)), sums[r][v])
        with cgutils.for_range(builder, depth) as loop:
            first = builder.add(builder.mul(loop.index, width), column)
            vectors = [
                _load(builder, x, builder.add(first, _constant(v * LANES))) for v in range(_VECTORS)
            ]
            for r in range(rows):
                at = builder.add(start, builder.mul(_constant(r), over_rows))
                at = builder.add(at, builder.mul(loop.index, over_depth))
                factor = _broadcast(builder, builder.load(builder.gep(w, [at])))
                for v in range(_VECTORS):
                    _multiply_add(builder, factor, vectors[v], sums[r][v])
        for r in range(rows):
            for v in range(_VECTORS):
                target = _vector_at(builder, y, place(r, v))
                builder.store(builder.load(sums[r][v]), target, align=4)

    return generate


def _correlation(size):
    """Return the generator of ``size`` x ``size`` dot products of rows over a block."""

    def generate(context, builder, signature, args):
        left, right, sums, row, column = args
        a, width = _data(context, builder, signature.args[0], left)
        b, _ = _data(context, builder, signature.args[1], right)
        out, columns = _data(context, builder, signature.args[2], sums)
        partial = [
            [cgutils.alloca_once(builder, _VECTOR) for _ in range(size)] for _ in range(size)
        ]
        for place in (each for line in partial for each in line):
            builder.store(ir.Constant(_VECTOR, [0.0] * LANES), place)

        def start(first, r):
            return builder.mul(builder.add(first, _constant(r)), width)

        with cgutils.for_range(builder, _constant(BLOCK // LANES)) as loop:
            along = builder.mul(loop.index, _constant(LANES))
            lefts, rights = (
                [_load(builder, data, builder.add(start(first, r), along)) for r in range(size)]
                for data, first in ((a, row), (b, column))
            )
            for r in range(size):
                for c in range(size):
                    _multiply_add(builder, lefts[r], rights[c], partial[r][c])
        kind = ir.FunctionType(_FLOAT, [_FLOAT, _VECTOR])
        name = f"llvm.vector.reduce.fadd.v{LANES}f32"
        reduce = cgutils.get_or_insert_function(builder.module, kind, name)
        for r in range(size):
            for c in range(size):
                at = builder.add(builder.mul(builder.add(row, _constant(r)), columns), column)
                target = builder.gep(out, [builder.add(at, _constant(c))])
                vector = builder.load(partial[r][c])
                total = builder.call(reduce, [builder.load(target), vector], fastmath=["reassoc"])
                builder.store(total, target)

    return generate


def _no_result(generate):
    def finish(context, builder, signature, args):
        generate(context, builder, signature, args)
        return context.get_dummy_value()

    return finish


@intrinsic
def _tile(typingctx, weight, start, over_rows, over_depth, depth, inputs, outputs, row, column):
    return _signature(weight, inputs, outputs), _no_result(_product(_ROWS))


@intrinsic
def _line(typingctx, weight, start, over_rows, over_depth, depth, inputs, outputs, row, column):
    return _signature(weight, inputs, outputs), _no_result(_product(1))


@intrinsic
def _square(typingctx, left, right, sums, row, column):
    return types.void(left, right, sums, types.intp, types.intp), _no_result(_correlation(4))


@intrinsic
def _dot(typingctx, left, right, sums, row, column):
    return types.void(left, right, sums, types.intp, types.intp), _no_result(_correlation(1))


def _signature(weight, inputs, outputs):
    whole = types.intp
    return types.void(weight, whole, whole, whole, whole, inputs, outputs, whole, whole)
