"""Many entries of a table at once, by the processor's gather instructions where it has them.

LLVM does not vectorise such loops itself: it cannot exclude that the output overlaps the table.
"""
# ruff: noqa: ARG001 (numba reads the signatures of intrinsics)

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nerfloss.kernels.numba.vector_ir import (
    FLOAT,
    INT,
    LANES,
    VECTOR,
    data_and_width,
    lanes,
    number,
    procedure,
    store,
)

_INDEX, _OFFSET = ir.IntType(32), ir.VectorType(INT, LANES)
_POINTERS = ir.VectorType(FLOAT.as_pointer(), LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)


def _gather_entries(typingctx, table, indices, begin, stride, shift, out):
    """Write ``out[i] = table[stride * indices[i] + shift]`` for LANES i from ``begin`` on.

    ``table`` and ``out`` are contiguous and of one type, ``indices`` uint32. Nothing is checked.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> None:
        table, indices, begin, stride, shift, out = args
        data, _ = data_and_width(context, builder, signature.args[0], table)
        rows, _ = data_and_width(context, builder, signature.args[1], indices)
        to, _ = data_and_width(context, builder, signature.args[5], out)
        data, rows, to = builder.gep(data, [shift]), *(builder.gep(p, [begin]) for p in (rows, to))
        if signature.args[0].dtype == types.float32:
            store(builder, _gathered(builder, data, rows, stride), to, number(0))
            return
        for i in range(LANES):
            row = builder.zext(builder.load(builder.gep(rows, [number(i)])), INT)
            entry = builder.load(builder.gep(data, [builder.mul(row, stride)]))
            builder.store(entry, builder.gep(to, [number(i)]))

    whole = types.intp
    return types.void(table, indices, whole, whole, whole, out), procedure(generate)


gather_entries: Any = intrinsic(_gather_entries)


def _gathered(builder: Any, data: Any, rows: Any, stride: Any) -> Any:
    """Return a vector of ``data[stride * rows[i]]``."""
    kind = ir.VectorType(_INDEX, LANES)
    own = builder.load(builder.bitcast(rows, kind.as_pointer()), align=4)
    indices = builder.mul(own, _spread(builder, builder.trunc(stride, _INDEX), kind))
    bytes_ahead = builder.shl(builder.zext(indices, _OFFSET), ir.Constant(_OFFSET, [2] * LANES))
    start = _spread(builder, builder.ptrtoint(data, INT), _OFFSET)
    pointers = builder.inttoptr(builder.add(start, bytes_ahead), _POINTERS)
    kind = ir.FunctionType(VECTOR, [_POINTERS, _INDEX, _MASK, VECTOR])
    name = f"llvm.masked.gather.v{LANES}f32.v{LANES}p0"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    every, alignment = ir.Constant(_MASK, [1] * LANES), ir.Constant(_INDEX, 4)
    return builder.call(function, [pointers, alignment, every, ir.Constant(VECTOR, ir.Undefined)])


def _spread(builder: Any, value: Any, kind: Any) -> Any:
    empty = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(_INDEX, 0))
    return builder.shuffle_vector(first, empty, lanes([0] * LANES))
