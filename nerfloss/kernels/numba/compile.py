"""The one way in which this package's loops are compiled, and kept for the next time."""

import inspect
import re
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import njit

_IMPORTS = re.compile(r"^\s*from nerfloss\.kernels\S* import (?:\([^)]*\)|.*)", re.MULTILINE)


def compiled(function: Callable) -> Any:
    """Compile a loop when it is first called and keep the result on disk.

    It runs without the interpreter's lock. Of fastmath only contraction is on: NaN must come out
    where NaN went in. Division by zero gives infinity instead of an exception, whose branch would
    keep loops from being vectorised. Run-time checks of annotations, as the tests install them,
    wrap functions: what is compiled is what they wrap.

    The result lies beside the source, or in a folder of the user's where that cannot be written
    to. numba compiles anew where its version, the processor or the function's own file differ; a
    name that carries `sources_hash` does it where a file differs whose functions or numbers were
    compiled in.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
    plain = inspect.unwrap(function)
    plain.__qualname__ += f"_{sources_hash(Path(inspect.getfile(plain)))}"
    try:
        return njit(cache=True, **options)(plain)
    except RuntimeError:  # no folder can be written to, not even one of the user's
        return njit(**options)(plain)


@cache
def sources_hash(path: Path) -> str:
    """Tells apart all that a file of kernels is made of: itself, and what it imports beside it."""
    sources: dict[Path, str] = {}
    waiting = [path]
    while waiting:
        path = waiting.pop()
        if path not in sources:
            sources[path] = path.read_text(encoding="utf-8")
            words = set(re.findall(r"\w+", " ".join(_IMPORTS.findall(sources[path]))))
            waiting += [beside for beside in path.parent.glob("*.py") if beside.stem in words]
    whole = "\0".join(sources[path] for path in sorted(sources))
    return sha256(whole.encode()).hexdigest()[:8]
