"""Whole runs on a GPU: steps per second, and quality against seconds. After `gpu.py`.

    python benchmarks/gpu_steps.py --lego data/lego        # all parts; gpu_steps.json, gpu_steps.md
    python benchmarks/gpu_steps.py --parts rates           # a minute or two
    python benchmarks/gpu_steps.py --dry                   # no GPU: tiny; figures mean nothing

- *rates*: steps per second of the loop as it is, at hardware=gpu, the median of windows.
- *whole*: 20 000 NeuS steps of lego at 800x800, and what they come to.
- *curves*: scores against seconds, at 400x400, with initialization, without data and evaluation.
- *same*: one recipe, a CPU's settings, on the CPU and on the GPU, over seeds.

``--lego`` is a folder in the NeRF-synthetic layout, 800x800; without it lego is left out. Results
are written after every row, and rows that are there are not measured again.
"""

import argparse
import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from quality import MODELS, SCORES, spent
from runs import configure, machine, prepare, train  # first: it sets how threads wait

from nerfloss.training.callbacks.callback import Callback, TrainerState
from nerfloss.training.step import Step

GRID = {"nerf": "model.field.grid", "neus": "model.field.network.grid"}
AIMS = {"nerf": "300 steps/s", "neus": "150 steps/s"}  # on an H200
TINY = ("dataset.views=8", "dataset.test_views=1", "sampler.resolution=16", "eval.chunk=4096")
Job = tuple[dict[str, Any], tuple[str, ...], dict[str, Any]]


def scene(name: str, asked: argparse.Namespace, *, size: int = 400) -> tuple[str, ...]:
    """Overrides for a scene at this many pixels along an edge."""
    if name == "lego":
        return "dataset=blender", f"dataset.path={asked.lego}", f"dataset.downscale={800 // size}"
    return f"dataset.scene={name}", f"dataset.size={16 if asked.dry else size}"


def sizes(model: str, asked: argparse.Namespace) -> tuple[str, ...]:
    """Overrides for a model as it is on a GPU; tiny in a dry run."""
    small = (
        f"{GRID[model]}.levels=2",
        f"{GRID[model]}.log2_hashmap_size=8",
        "trainer.batch_size.samples=256",
    )
    few = (*small, *TINY, "trainer.batch_size.rays=32", "device=cpu") if asked.dry else ()
    return ("hardware=gpu", *MODELS[model], *few)


def jobs(asked: argparse.Namespace) -> Iterator[Job]:
    """What is to be measured: the row's names, a run's overrides, and how long it is."""
    dry = asked.dry
    for model in ("neus", "nerf"):
        names = {"part": "rates", "scene": "craters", "model": model, "aim": AIMS[model]}
        window = {"window": 2 if dry else 200, "windows": 3 if dry else 6}
        yield names, (*scene("craters", asked), *sizes(model, asked)), window
    if asked.lego:
        names = {"part": "whole", "scene": "lego", "model": "neus", "aim": "180 s"}
        settings = (*scene("lego", asked, size=800), *sizes("neus", asked))
        yield names, (*settings, *spent(20_000, "steps")), {}
    for name in ("craters", "rings", *(["lego"] if asked.lego else [])):
        for model in ("neus", "nerf"):
            for budget in (1,) if dry else (5, 15, 45, 120):
                names = {"part": "curves", "scene": name, "model": model, "budget": f"{budget} s"}
                settings = (*scene(name, asked), *sizes(model, asked), *spent(budget, "wall"))
                yield names, settings, {"mesh": None if name == "lego" or model == "nerf" else 256}
    for device in ("cpu",) if dry else ("cpu", "cuda"):
        for seed in range(1 if dry else 3):
            names = {"part": "same", "scene": "craters", "model": "neus", "device": device}
            settings = (*MODELS["neus"], f"device={device}", f"seed={seed}")
            small = (*sizes("neus", asked), *scene("craters", asked)) if dry else ()
            steps = spent(3 if dry else 2400, "steps")
            yield names | {"seed": seed}, (*settings, *small, *steps), {"mesh": 32 if dry else 192}


def rate(settings: tuple[str, ...], window: int, windows: int) -> dict[str, Any]:
    """Steps per second over windows of a run, after two in which it warms up."""
    cfg = configure(*settings, f"trainer.max_steps={window * (windows + 2)}", mesh=None)
    run, tally = prepare(cfg)
    seen: list[tuple[float, int]] = []

    class Note(Callback):
        def after_step(self, trainer: TrainerState, step: Step) -> None:  # noqa: ARG002
            if trainer.step % window == 0:
                if run.settings.device.type == "cuda":
                    torch.cuda.synchronize()
                seen.append((time.perf_counter(), tally.points))

    run.trainer.callbacks.append(Note())
    train(run)
    kept = seen[1:]
    seconds = median(after[0] - before[0] for before, after in pairwise(kept))
    found = {"steps per second": window / seconds, "rays per step": run.trainer.rays}
    # what renews the cache included
    found["points per step"] = (kept[-1][1] - kept[0][1]) / (window * (len(kept) - 1))
    if run.settings.device.type == "cuda":
        found["gigabytes"] = torch.cuda.max_memory_allocated() / 1e9
    return found


def scored(settings: tuple[str, ...], mesh: int | None = None) -> dict[str, Any]:
    """Train once and score the result."""
    run, _ = prepare(configure(*settings, mesh=mesh))
    train(run)
    scores = run.evaluate().scores
    found = {name: scores[name].value for name in SCORES if name in scores}
    return found | {"steps": run.trainer.step, "train_seconds": scores["train_seconds"].value}


def measured(asked: argparse.Namespace, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows that are not there yet."""
    there = [tuple(row["names"].items()) for row in rows]
    for names, settings, more in jobs(asked):
        if names["part"] in asked.parts and tuple(names.items()) not in there:
            found = rate(settings, **more) if names["part"] == "rates" else scored(settings, **more)
            device = "a dry run" if asked.dry else torch.cuda.get_device_name()
            yield {"names": names, "found": found, "on": f"{device}; {machine()}"}


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """A line for each row, under where they were measured."""
    lines = [*dict.fromkeys(row["on"] for row in rows), "", "| what | found |", "|---|---|"]
    for row in rows:
        numbers = (f"{k} {v:.4g}" for k, v in row["found"].items() if v is not None)
        named = (f"{k} {v}" if k in ("aim", "seed") else str(v) for k, v in row["names"].items())
        lines.append(f"| {', '.join(named)} | {', '.join(numbers)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("rates", "whole", "curves", "same")
    parser.add_argument("--parts", nargs="+", default=list(parts), choices=parts)
    parser.add_argument("--lego", type=Path, help="lego's folder, as NeRF-synthetic has it")
    parser.add_argument("--out", type=Path, default=Path("gpu_steps.json"), help="a .md too")
    parser.add_argument("--dry", action="store_true", help="tiny, on the CPU")
    asked = parser.parse_args()
    if not (asked.dry or torch.cuda.is_available()):
        print("nothing to measure: torch finds no GPU here (--dry tries the program without one)")
        return 2
    rows = json.loads(asked.out.read_text()) if asked.out.exists() else []
    for row in measured(asked, rows):
        rows.append(row)
        asked.out.write_text(json.dumps(rows, indent=1) + "\n")
        asked.out.with_suffix(".md").write_text(as_markdown(rows))
    print(as_markdown(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
