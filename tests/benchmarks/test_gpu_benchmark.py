"""The benchmark for GPUs, as far as it can be tested without one: it runs, and counts right."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton", reason="triton is made for Linux alone")


@pytest.fixture(autouse=True)
def benchmarks(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The programs' folder, importable."""
    monkeypatch.syspath_prepend(repository / "benchmarks")
    return repository / "benchmarks"


def test_sectors_are_counted_once_for_neighbours_that_share_them() -> None:
    from gpu_work import Setting, sectors

    setting = Setting(points=64, log2_hashmap_size=19, levels=1)
    together = torch.full((64, 3), 0.501)
    # 8 corners in 4 rows of the grid along x; two features of 4 bytes: a row holds 4 in a sector
    assert 4 <= 32 * sectors(together, setting, 4) <= 8
    apart = torch.rand(64, 3)
    assert sectors(apart, setting, 4) > 1
    assert sectors(apart, setting, 2) < sectors(apart, setting, 4)


def test_the_bytes_that_reading_moves_are_those_of_its_arguments() -> None:
    from gpu_work import Setting, inputs, moved

    setting = Setting(points=64, log2_hashmap_size=7, levels=2)
    given = inputs(setting, torch.device("cpu"), seed=0)
    ordered, read, added = moved(setting, given["points"])["features and jacobian"]
    written = 64 * setting.layout.channels * 4
    assert ordered == given["points"].nbytes + written + given["jacobian"].nbytes
    assert read > 0
    assert added == 0


def test_a_wrong_kernel_is_found_out(benchmarks: Path) -> None:
    from gpu import WRONG, errors
    from gpu_work import Setting

    from nerfloss.kernels.reference import hash_grid as reference

    assert benchmarks.is_dir()
    setting = Setting(points=64, log2_hashmap_size=7, levels=2)
    right = errors(reference, setting, torch.device("cpu"))
    assert max(right.values()) == 0

    class Forgetful:
        def __getattr__(self, name: str):
            return getattr(reference, name)

        def vjp(self, points: torch.Tensor, *_: object) -> torch.Tensor:
            return torch.empty_like(points)

    found = errors(Forgetful(), setting, torch.device("cpu"))
    assert found["J^T g"] > WRONG
    assert found["features"] == 0


@pytest.mark.slow
def test_a_dry_run_writes_both_files_and_says_that_it_was_dry(
    benchmarks: Path, tmp_path: Path
) -> None:
    program, out = benchmarks / "gpu.py", tmp_path / "gpu.json"
    done = subprocess.run(
        [sys.executable, program, "--dry", "--out", out],
        capture_output=True, text=True, check=False, env=os.environ | {"TRITON_INTERPRET": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(out.read_text())
    assert found["wrong"] == {}
    assert {"copy", "cache", "atomics"} == found["ceilings"].keys()
    assert {"march", "weights"} <= {row["operation"] for row in found["rows"]}
    assert {row["backend"] for row in found["rows"]} >= {"triton", "reference", "triton, as set"}
    assert out.with_suffix(".md").read_text().startswith("**A dry run")


@pytest.mark.slow
def test_whole_runs_are_measured_once_each(benchmarks: Path, tmp_path: Path) -> None:
    out = tmp_path / "gpu_steps.json"
    asked = [sys.executable, benchmarks / "gpu_steps.py", "--dry", "--parts", "rates", "same"]
    written = []
    for _ in range(2):
        done = subprocess.run([*asked, "--out", out], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        written.append(out.read_text())
    assert written[0] == written[1]
    rows = json.loads(written[0])
    assert [row["names"]["part"] for row in rows] == ["rates", "rates", "same"]
    assert all(row["found"]["steps per second"] > 0 for row in rows[:2])
    assert rows[2]["found"]["steps"] == 3
    assert "a dry run" in out.with_suffix(".md").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to measure")
@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("gpu.py", "it needs a CUDA device and there is none here"),
        ("gpu_steps.py", "torch finds no GPU here"),
    ],
)
def test_without_a_gpu_it_says_so(benchmarks: Path, program: str, says: str) -> None:
    surroundings = os.environ | {"TRITON_INTERPRET": "0"}
    done = subprocess.run(
        [sys.executable, benchmarks / program],
        capture_output=True, text=True, check=False, env=surroundings,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"nothing to measure: {says}" in done.stdout
