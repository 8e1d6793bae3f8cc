"""Vectors of float32 numbers in LLVM IR, of the width of the processor's registers.

``data`` are pointers to float32 numbers, ``offset`` counts numbers.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# float32 numbers in a vector register.
LANES = 16 if binding.get_host_cpu_features().get("avx512f", False) else 8
FLOAT, INT = ir.FloatType(), ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)


def number(value: int) -> ir.Constant:
    return ir.Constant(INT, value)


def lanes(order: list[int]) -> ir.Constant:
    """Return the argument of a shuffle."""
    return ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)


def data_and_width(context: Any, builder: Any, array_type: Any, value: Any) -> tuple[Any, Any]:
    """Return a pointer to an array's data, and the length of its rows."""
    array = context.make_array(array_type)(context, builder, value)
    return array.data, cgutils.unpack_tuple(builder, array.shape)[-1]


def load(builder: Any, data: Any, offset: Any, count: int = LANES) -> Any:
    return builder.load(_pointer(builder, data, offset, count), align=4)


def store(builder: Any, vector: Any, data: Any, offset: Any) -> None:
    """Store a vector of any number of lanes."""
    builder.store(vector, _pointer(builder, data, offset, vector.type.count), align=4)


def broadcast(builder: Any, value: Any) -> Any:
    """Return a vector with the same number in every lane."""
    empty = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, empty, lanes([0] * LANES))


def multiply_add(builder: Any, left: Any, right: Any, place: Any) -> None:
    """Compute ``place += left * right`` for a sum in a register."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
    fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    builder.store(builder.call(fma, [left, right, builder.load(place)]), place)


def totals(builder: Any, vectors: list) -> Any:
    """Return a vector of the sums over the lanes of LANES vectors, in their order."""
    # Each round adds the halves of all sections, and joins the sections of two vectors into one.
    section = LANES
    while len(vectors) > 1:
        half = section // 2
        lower = [at + i for at in range(0, 2 * LANES, section) for i in range(half)]
        upper = [at + half for at in lower]
        vectors = [
            builder.fadd(
                builder.shuffle_vector(one, other, lanes(lower)),
                builder.shuffle_vector(one, other, lanes(upper)),
            )
            for one, other in zip(vectors[::2], vectors[1::2], strict=True)
        ]
        section = half
    return vectors[0]


def procedure(generate: Callable) -> Callable:
    """Return the generator of an intrinsic without a result."""

    def finish(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        generate(context, builder, signature, args)
        return context.get_dummy_value()

    return finish


def _wide(typingctx: Any) -> Any:  # noqa: ARG001
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> None:  # noqa: ARG001
        # llvmlite only lets attributes through that have no value
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')

    return types.void(), procedure(generate)


# A call lets LLVM vectorise the loops of the calling function with the widest registers. For
# processors with 512 bits it prefers 256, which suits code with a few vector loops.
prefer_wide_vectors: Any = intrinsic(_wide)


def _pointer(builder: Any, data: Any, offset: Any, count: int) -> Any:
    return builder.bitcast(builder.gep(data, [offset]), ir.VectorType(FLOAT, count).as_pointer())
