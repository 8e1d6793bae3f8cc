"""Compiled loops are cached on disk, where that is writable, and stale ones are not used."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nerfloss.kernels.numba.compile as compiled

INNER = """
from nerfloss.kernels.numba.compile import compiled

NUMBER = {number}

@compiled
def inner(x):
    return x {operator} 10
"""
OUTER = """
from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.inner import (
    NUMBER,
    inner,
)

@compiled
def outer(x):
    return inner(x) + NUMBER

print(outer(1), sum(outer.stats.cache_hits.values()))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with a loop that calls a loop of another file."""
    kernels = tmp_path / "nerfloss" / "kernels" / "numba"
    kernels.mkdir(parents=True)
    for package in (kernels, kernels.parent, kernels.parent.parent):
        (package / "__init__.py").touch()
    shutil.copy(compiled.__file__, kernels / "compile.py")
    (kernels / "outer.py").write_text(OUTER)
    write_inner(kernels)
    return kernels


def write_inner(kernels: Path, number: int = 1, operator: str = "+") -> None:
    (kernels / "inner.py").write_text(INNER.format(number=number, operator=operator))


def result_and_hits(kernels: Path, **environment: str) -> tuple[int, int]:
    """Return the outer loop's result in a new process, and the number of its cache hits."""
    root = kernels.parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", "import nerfloss.kernels.numba.outer"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    result, hits = done.stdout.split()
    return int(result), int(hits)


def test_a_loop_is_compiled_once(package):
    assert result_and_hits(package) == (12, 0)
    assert result_and_hits(package) == (12, 1)


def test_a_change_of_an_imported_loop_or_constant_recompiles(package):
    assert result_and_hits(package) == (12, 0)
    write_inner(package, operator="*")
    assert result_and_hits(package) == (11, 0)
    write_inner(package, operator="*", number=5)
    assert result_and_hits(package) == (15, 0)


def test_a_read_only_package_is_cached_in_the_users_folder(package, tmp_path):
    # A file in place of the folder: even root cannot write into it.
    (package / "__pycache__").write_text("")
    home = tmp_path / "home"
    place = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    assert result_and_hits(package, **place) == (12, 0)
    assert result_and_hits(package, **place) == (12, 1)
    assert list(home.rglob("outer*.nbc"))


def test_without_a_writable_folder_loops_are_compiled_every_time(package, tmp_path):
    (package / "__pycache__").write_text("")
    (tmp_path / "home").write_text("")
    place = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home")}
    assert result_and_hits(package, **place) == (12, 0)
    assert result_and_hits(package, **place) == (12, 0)


def test_the_hash_of_a_module_depends_on_what_it_imports_and_on_nothing_else(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "_ROOT", package.parent.parent.parent)
    outer = package / "outer.py"
    outer.write_text(OUTER + "from nerfloss.kernels.grid_layout import HASH_FACTORS")
    layout, unrelated = package.parent / "grid_layout.py", package / "unrelated.py"

    def hash_with(file: Path, text: str) -> str:
        file.write_text(text)
        compiled.sources_hash.cache_clear()
        return compiled.sources_hash(outer)

    before = hash_with(layout, "HASH_FACTORS = 1")
    assert hash_with(unrelated, "NUMBER = 3") == before
    assert hash_with(layout, "HASH_FACTORS = 2") != before


def test_a_file_that_many_loops_import_is_parsed_once(package, monkeypatch):
    for function in (compiled.sources_hash, compiled._imported_files):
        function.cache_clear()
    parsed, parse = [], compiled.ast.parse
    monkeypatch.setattr(compiled, "_ROOT", package.parent.parent.parent)
    monkeypatch.setattr(compiled.ast, "parse", lambda text: parsed.append(text) or parse(text))
    hashes = [compiled.sources_hash(package / f"{name}.py") for name in ("inner", "outer")]
    assert len(set(hashes)) == 2
    names = ("compile", "inner", "outer")
    assert sorted(parsed) == sorted((package / f"{name}.py").read_text() for name in names)
