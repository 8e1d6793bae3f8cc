"""Triton's kernels compile for real processors, to the expected instructions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="triton is made for Linux alone")

pytestmark = pytest.mark.slow

# Later versions of Triton call an atomic without a result a reduction.
ATOMICS = ("atom.", "red.")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory):
    """A function that compiles the kernels for a compute capability, in a process of its own."""

    def run(capability: int, *names: str) -> dict:
        program = Path(__file__).with_name("compile_triton.py")
        cache = str(tmp_path_factory.mktemp("triton"))
        environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": cache}
        done = subprocess.run(
            [sys.executable, program, str(capability), *names],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return run


def wide(memory: list[str], kind: str) -> int:
    """Count the instructions of this kind that move several numbers."""
    return sum(each.startswith(kind) and (".v2." in each or ".v4." in each) for each in memory)


def test_on_hopper_a_row_is_one_load_and_one_atomic(compiled) -> None:
    found = compiled(90)
    others = ("neus", "volsdf", "weights", "sums", "march")
    assert len({name for name in found if name.startswith(others)}) == 10
    for name, kernel in found.items():
        if name.startswith(others):
            continue  # sums over a ray use shared memory
        assert kernel["shared"] == 0, f"{name} uses shared memory"
    assert wide(found["features and jacobian fp32"]["memory"], "ld.global") == 8
    assert wide(found["four features"]["memory"], "ld.global") == 8
    for dtype in ("fp32", "fp16", "bf16"):
        atomics = [e for e in found[f"scatter {dtype}"]["memory"] if e.startswith(ATOMICS)]
        assert len(atomics) == 8, f"{dtype}: {atomics}"
        assert all("relaxed" in each for each in atomics)


def test_the_oldest_processor_that_is_served_can_run_them(compiled) -> None:
    found = compiled(75, "features and jacobian fp16", "scatter fp32", "scatter fp16", "hvp")
    atomics = {
        dtype: sum(each.startswith(ATOMICS) for each in found[f"scatter {dtype}"]["memory"])
        for dtype in ("fp32", "fp16")
    }
    assert atomics == {"fp32": 16, "fp16": 8}, "16-bit types are packed there, float32 is not"
