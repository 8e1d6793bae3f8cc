"""Measure the kernels on a GPU against its bandwidth: one command, nothing to build.

    python benchmarks/gpu.py                     # some minutes; writes gpu.json and gpu.md
    python benchmarks/gpu.py --dry               # no GPU: tiny, interpreted; figures mean nothing

Correctness comes first: if a kernel disagrees with the reference, nothing is timed. Times are
medians of CUDA events after warm-up, inputs rotated; kernels are replayed from a graph, and *with
launches* they are not. *Share* is the least time that the bytes moved would take at the rates
measured at the start (`gpu_ceilings.py`, `gpu_work.py`), over the time taken.
"""

import argparse
import datetime
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

if "--dry" in sys.argv:
    os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported

import torch
from gpu_timing import stopwatch
from gpu_work import STEP, Setting, arithmetic, inputs, moved, operations

from nerfloss.kernels.backend_availability import unavailable_reason
from nerfloss.kernels.reference import hash_grid as reference

ROUNDS, SETS = 25, 3
WRONG = 1e-3  # largest error, relative to the norm
PLAIN_POINTS = 2**18  # the reference's memory grows by about 3 kB a point


def sweep(*, dry: bool) -> Iterator[Setting]:
    """One thing varied at a time."""
    if dry:
        yield Setting(points=64, log2_hashmap_size=7, levels=2, dtype=torch.float16, order="rays")
        return
    yield Setting()
    yield Setting(order="rays")
    yield from (Setting(points=2**n) for n in (16, 17, 19, 20))
    yield from (Setting(dtype=dtype) for dtype in (torch.float16, torch.bfloat16))
    yield from (Setting(log2_hashmap_size=n) for n in (15, 17, 21, 22))
    yield from (Setting(levels=n) for n in (8, 12))
    yield from (Setting(2**20, order="rays", dtype=d) for d in (torch.float32, torch.float16))


def errors(kernel: Any, setting: Setting, device: torch.device) -> dict[str, float]:
    """Distance from the reference over its norm, by operation; memory not written to is NaN."""
    given = inputs(setting, device, seed=1)
    exact = given | {"table": given["table"].float()}
    torch.use_deterministic_algorithms(True, warn_only=True)  # fills new memory with NaN
    try:
        found = {n: run(given) for n, run in operations(kernel, setting).items()}
    finally:
        torch.use_deterministic_algorithms(False)
    right = {n: run(exact) for n, run in operations(reference, setting).items()}
    return {name: max(map(_distance, _all(found[name]), _all(right[name]))) for name in found}


def _all(result: Any) -> tuple[torch.Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def _distance(found: torch.Tensor, right: torch.Tensor) -> float:
    distance = float((found - right).norm() / right.norm().clamp_min(1e-30))
    return distance if distance == distance else float("inf")  # NaN never passes


def rows_of(
    setting: Setting, kernels: dict[str, Any], rates: dict[str, float], timed: Callable
) -> Iterator[dict[str, Any]]:
    """One row per backend and operation."""
    device = rates_device()
    sets = [inputs(setting, device, seed) for seed in range(2, 2 + SETS)]
    bytes_of, work = moved(setting, sets[0]["points"]), arithmetic(setting)
    for backend, kernel in kernels.items():
        if backend != "triton" and setting.points > PLAIN_POINTS:
            continue
        for name, run in operations(kernel, setting).items():
            calls = [partial(run, given) for given in sets]
            launched = timed(calls)
            seconds = timed(calls, graphed=True) if backend == "triton" else launched
            ordered, read, added = bytes_of[name]
            floor = max(ordered / rates["copy"], read / rates["cache"], added / rates["atomics"])
            if name == STEP:  # its parts run one after the other
                floor = ordered / rates["copy"] + read / rates["cache"] + added / rates["atomics"]
            yield {
                "setting": setting.name(), "backend": backend, "operation": name,
                "milliseconds": 1e3 * seconds, "with launches": 1e3 * launched,
                "floor": 1e3 * floor, "share": floor / seconds,
                "bytes in order": ordered, "bytes read": read, "bytes added": added,
                "operations": work[name],
            }  # fmt: skip


def rates_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    from gpu_ceilings import ceilings
    from gpu_rays import ray_errors, ray_rows
    from gpu_rivals import tcnn_rows
    from gpu_tuning import tuning_rows

    from nerfloss.kernels.triton import hash_grid as triton_grid

    device, begin = rates_device(), time.perf_counter()
    timed = stopwatch(device, 1 if asked.dry else ROUNDS)
    kernels = {"triton": triton_grid, "reference": reference}
    checks, rows, left_out = {}, [], []
    for setting in sweep(dry=asked.dry):
        small = Setting(**{**vars(setting), "points": min(setting.points, 2**14)})
        checks[small.name()] = errors(triton_grid, small, device)
    checks["along rays"] = ray_errors(device, dry=asked.dry)
    wrong = {n: e for n, found in checks.items() for e in found.values() if not e < WRONG}
    rates = ceilings(device, timed, tiny=asked.dry)
    for setting in () if wrong else sweep(dry=asked.dry):
        if time.perf_counter() - begin > 60 * asked.minutes:
            left_out.append(setting.name())
            continue
        rows += rows_of(setting, kernels, rates, timed)
        rows += tcnn_rows(setting, device, timed)
    if not wrong:
        rows += ray_rows(device, timed, rates, dry=asked.dry)
        rows += tuning_rows(device, timed, dry=asked.dry)
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else platform.machine(),
        "dry": asked.dry, "date": datetime.date.today().isoformat(), "torch": torch.__version__,
        "seconds": time.perf_counter() - begin, "wrong": wrong, "left out": left_out,
        "ceilings": rates, "errors": checks, "rows": rows,
    }  # fmt: skip


def as_markdown(found: dict[str, Any]) -> str:
    """The rows as one table, under what was measured where."""
    rates = ", ".join(f"{name} {rate / 1e12:.2f} TB/s" for name, rate in found["ceilings"].items())
    head = [f"{found['device']}, torch {found['torch']}, {found['date']}; {rates}.", ""]
    if found["dry"]:
        head.insert(0, "**A dry run: these figures mean nothing.**\n")
    head += [f"**Wrong, and not timed: {name}** (error {e})" for name, e in found["wrong"].items()]
    head += [f"Left out for time: {name}." for name in found["left out"]]
    kinds = {"milliseconds": ".3f", "with launches": ".3f", "floor": ".3f", "share": ".0%"}
    columns = ("setting", "backend", "operation", *kinds)
    lines = [_line(columns), "|---" * len(columns) + "|"]
    for row in found["rows"]:
        numbers = [format(row[name], kind) if name in row else "" for name, kind in kinds.items()]
        lines.append(_line([*(row[name] for name in columns[:3]), *numbers]))
    return "\n".join([*head, "", *lines]) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="a .md is written too")
    parser.add_argument("--minutes", type=float, default=8, help="start no measurement later")
    parser.add_argument("--dry", action="store_true", help="tiny and interpreted, without a GPU")
    asked = parser.parse_args()
    if (reason := unavailable_reason("triton")) is not None:
        print(f"nothing to measure: {reason}")
        return 2
    found = measure(asked)
    asked.out.write_text(json.dumps(found, indent=1) + "\n")
    asked.out.with_suffix(".md").write_text(as_markdown(found))
    print(as_markdown(found))
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
