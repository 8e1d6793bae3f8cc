"""What a step costs as views, resolution, samples, table and levels grow: time and memory, plotted.

    python benchmarks/scale.py --out scale.png

Each point trains the default NeuS run for a few steps in a process of its own.
"""

import argparse
import json
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from runs import configure, machine, prepare  # first: it sets how threads wait

SWEEPS = {
    "views": ("dataset.views", (15, 60, 240)),
    "pixels along an edge": ("dataset.size", (64, 128, 256)),
    "samples per step": ("trainer.batch_size.samples", (2048, 4096, 8192, 16384)),
    "log2 of the table": ("model.field.network.grid.log2_hashmap_size", (14, 16, 18, 19)),
    "levels": ("model.field.network.grid.levels", (4, 8, 12, 16)),
}
SHORT = ("views", "samples per step")


def measure(key: str, value: int, steps: int) -> dict[str, float]:
    """Milliseconds of CPU time per step, and the most memory that the process held, in MB."""
    torch.set_num_threads(1)
    # Supersampling is off: rendering the scene is not what is measured.
    run, _ = prepare(configure(f"{key}={value}", "dataset.supersampling=1"))
    trainer = run.trainer
    run.initialize()
    for step in range(130 + steps):
        if step == 130:
            begin = time.process_time()
        trainer.train_step()
        trainer.step += 1
    per_step = 1e3 * (time.process_time() - begin) / steps
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"ms": per_step, "megabytes": peak}


def plot(found: dict[str, dict[int, dict[str, float]]], to: Path) -> None:
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(2, len(found), figsize=(3 * len(found), 5), squeeze=False)
    for column, (name, points) in enumerate(found.items()):
        for row, (key, label) in enumerate((("ms", "CPU ms per step"), ("megabytes", "peak MB"))):
            panel = panels[row][column]
            panel.plot(list(points), [each[key] for each in points.values()], "o-")
            panel.set_ylim(0, 1.1 * max(each[key] for each in points.values()))
            panel.grid(alpha=0.3)
            if column == 0:
                panel.set_ylabel(label)
        panels[1][column].set_xlabel(name)
    figure.tight_layout()
    figure.savefig(to, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sweeps", nargs="+", default=list(SWEEPS), choices=list(SWEEPS))
    parser.add_argument("--short", action="store_true", help=f"only {' and '.join(SHORT)}")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--out", type=Path, help="a picture; the numbers are written as .json too")
    asked = parser.parse_args()
    console = Console(width=120)
    found: dict[str, dict[int, dict[str, float]]] = {}
    for name in SHORT if asked.short else asked.sweeps:
        key, values = SWEEPS[name]
        table = Table(name, "CPU ms per step", "peak MB", box=None)
        found[name] = {}
        for value in values:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                point = alone.submit(measure, key, value, asked.steps).result()
            found[name][value] = point
            table.add_row(str(value), f"{point['ms']:.1f}", f"{point['megabytes']:.0f}")
        console.print(table)
    console.print(machine())
    if asked.out:
        asked.out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
        plot(found, asked.out)


if __name__ == "__main__":
    main()
