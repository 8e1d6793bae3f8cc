"""The one way in which this package's loops are compiled."""

import inspect
from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable) -> Any:
    """Compile a loop when it is first called and keep the result on disk.

    It runs without the interpreter's lock. Of fastmath only contraction is on: NaN must come out
    where NaN went in. Division by zero gives infinity instead of an exception, whose branch would
    keep loops from being vectorised. Run-time checks of annotations, as the tests install them,
    wrap functions: what is compiled is what they wrap.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
    return njit(cache=True, **options)(inspect.unwrap(function))
