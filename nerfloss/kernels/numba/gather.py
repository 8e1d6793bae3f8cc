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
    procedure,
    store,
)

_INDEX, _OFFSET = ir.IntType(32), ir.VectorType(INT, LANES)
_POINTERS = ir.VectorType(FLOAT.as_pointer(), LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)


@intrinsic
def gather(typingctx, table, indices, begin, shift, out):
    """Write ``out[i] = table[indices[i] + shift]`` for LANES i from ``begin`` on.

    ``table`` and ``out`` are contiguous float32, ``indices`` uint32. Nothing is checked.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> None:
        table, indices, begin, shift, out = args
        data, _ = data_and_width(context, builder, signature.args[0], table)
        rows, _ = data_and_width(context, builder, signature.args[1], indices)
        to, _ = data_and_width(context, builder, signature.args[4], out)
        kind = ir.VectorType(_INDEX, LANES).as_pointer()
        own = builder.load(builder.bitcast(builder.gep(rows, [begin]), kind), align=4)
        store(builder, _gathered(builder, builder.gep(data, [shift]), own), to, begin)

    where = types.intp
    return types.void(table, indices, where, where, out), procedure(generate)


def _gathered(builder: Any, data: Any, indices: Any) -> Any:
    """Return a vector of numbers at indices from a pointer on."""
    empty = ir.Constant(_OFFSET, ir.Undefined)
    start = builder.insert_element(empty, builder.ptrtoint(data, INT), ir.Constant(_INDEX, 0))
    start = builder.shuffle_vector(start, empty, lanes([0] * LANES))
    bytes_ahead = builder.mul(builder.zext(indices, _OFFSET), ir.Constant(_OFFSET, [4] * LANES))
    pointers = builder.inttoptr(builder.add(start, bytes_ahead), _POINTERS)
    kind = ir.FunctionType(VECTOR, [_POINTERS, _INDEX, _MASK, VECTOR])
    name = f"llvm.masked.gather.v{LANES}f32.v{LANES}p0"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    every, alignment = ir.Constant(_MASK, [1] * LANES), ir.Constant(_INDEX, 4)
    return builder.call(function, [pointers, alignment, every, ir.Constant(VECTOR, ir.Undefined)])
