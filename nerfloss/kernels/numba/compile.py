"""The decorator that compiles this package's loops and caches the machine code on disk."""

import ast
import inspect
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import njit

# The folder that holds the package: nerfloss/kernels/numba/compile.py is three levels below it.
_ROOT = Path(__file__).resolve().parents[3]


def compiled(function: Callable) -> Any:
    """Compile a function at its first call and cache the result on disk.

    The compiled function releases the GIL. Of fastmath only contraction is enabled, so NaN inputs
    give NaN outputs. Division by zero gives infinity: the branch of an exception would prevent
    vectorisation. Run-time checks of annotations, as the tests install them, are unwrapped first.

    The cache is next to the source file, or in the user's cache folder where that is read-only.
    numba recompiles where its version, the processor or the function's own file has changed. The
    name carries `sources_hash`, so that a change in an imported file, whose functions and constants
    are compiled in, recompiles too.
    """
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
    plain = inspect.unwrap(function)
    plain.__qualname__ += f"_{sources_hash(Path(inspect.getfile(plain)).resolve())}"
    try:
        return njit(cache=True, **options)(plain)
    except RuntimeError:  # no cache folder is writable
        return njit(**options)(plain)


@cache
def sources_hash(path: Path) -> str:
    """Return a hash of a file and of the kernel modules that it imports, directly or not."""
    sources: dict[Path, str] = {}
    waiting = [path]
    while waiting:
        path = waiting.pop()
        if path not in sources:
            sources[path] = path.read_text(encoding="utf-8")
            waiting += _imported_files(sources[path])
    joined = "\0".join(sources[path] for path in sorted(sources))
    return sha256(joined.encode()).hexdigest()[:8]


# Parsing takes 4 ms, and most kernels import the same few files.
@cache
def _imported_files(source: str) -> tuple[Path, ...]:
    """Return the files of `nerfloss.kernels` that a module imports with ``from ... import ...``."""
    files: list[Path] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nerfloss.kernels"):
            module = _ROOT.joinpath(*str(node.module).split("."))
            candidates = [module, *(module / name.name for name in node.names)]
            files += [file for each in candidates if (file := each.with_suffix(".py")).is_file()]
    return tuple(files)
