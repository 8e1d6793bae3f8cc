"""Wall time of a training step on two threads against one, taken in turns within one run.

    python benchmarks/threads.py --models neus nerf
    python benchmarks/threads.py --models neus --samples 64 4096 16384

A guest of a busy host is not always given its cores: `stolen` is the share of the time in which
this machine wanted to run and was not let (Linux says so). Two threads that wait for one another
suffer from it most, so the ratio is also stated for the calmest quarter of the turns. A step of few
samples shows what no thread can share: calls, and what is done once whatever the samples.
"""

import argparse
import time
from itertools import product
from pathlib import Path
from statistics import median

import torch
from rich.console import Console
from rich.table import Table
from runs import configure, machine, prepare  # first: it sets how threads wait

from nerfloss.training.trainer import Trainer

STEPS = 10
STAT = Path("/proc/stat")


def stolen_ticks() -> int:
    """Hundredths of a second, over all cores, that the host kept for itself; 0 if not known."""
    return int(STAT.read_text().split("\n", 1)[0].split()[8]) if STAT.is_file() else 0


def turn(trainer: Trainer, threads: int) -> tuple[float, float]:
    """Return milliseconds per step on a number of threads, and the stolen share of CPU time."""
    torch.set_num_threads(threads)
    ticks, begin = stolen_ticks(), time.perf_counter()
    for _ in range(STEPS):
        trainer.train_step()  # what `run` repeats, without its loggers
        trainer.step += 1
    wall = time.perf_counter() - begin
    return 1e3 * wall / STEPS, (stolen_ticks() - ticks) / 100 / wall


def measure(model: str, samples: int, turns: int) -> dict[int, list[tuple[float, float]]]:
    """Return all turns of a run with a number of samples per step, by number of threads."""
    torch.set_num_threads(2)
    loss = "nerf" if model == "nerf" else "neus_huber"
    pace = [
        f"trainer.batch_size.{k}={v}" for k, v in (("samples", samples), ("rays", samples // 8))
    ]
    run, _ = prepare(configure(f"model={model}", f"loss={loss}", "dataset.views=24", *pace))
    run.initialize()
    for _ in range(15):
        turn(run.trainer, 2)
    taken = [(threads, turn(run.trainer, threads)) for _ in range(turns) for threads in (1, 2)]
    return {n: [each for threads, each in taken if threads == n] for n in (1, 2)}


def calmest(turns: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the quarter of which least was stolen, and all turns of which no more was."""
    most = sorted(share for _, share in turns)[max(0, len(turns) // 4 - 1)]
    return [each for each in turns if each[1] <= most]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["neus", "nerf"])
    parser.add_argument("--samples", type=int, nargs="+", default=[4096], help="per step")
    parser.add_argument("--turns", type=int, default=40)
    asked = parser.parse_args()
    table = Table(title=machine(), box=None)
    for column in ("model", "samples", "", "one thread", "two threads", "ratio", "stolen"):
        table.add_column(column)
    for model, samples in product(asked.models, asked.samples):
        found = measure(model, samples, asked.turns)
        calm = {n: calmest(turns) for n, turns in found.items()}
        for name, of in (("all turns", found), ("calmest quarter", calm)):
            one, two = (median(wall for wall, _ in of[n]) for n in (1, 2))
            stolen = " / ".join(f"{median(share for _, share in of[n]):.0%}" for n in (1, 2))
            spent = (f"{one:.1f} ms", f"{two:.1f} ms", f"{one / two:.2f}", stolen)
            table.add_row(model, str(samples), name, *spent)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
