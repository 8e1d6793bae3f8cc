"""Where the time of a training step goes, part by part, on one thread.

    python benchmarks/step.py --models neus nerf

With more threads parts overlap: `threads.py` takes whole steps.

The parts are timed inside the trainer's own steps, so they are met as cold or warm as they are.
"""

import argparse
import functools
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from runs import configure, machine, prepare  # first: it sets how threads wait

from nerfloss.assembly.run import Run


def watched(run: Run) -> dict[str, list[float]]:
    """Wrap the parts of a step; each appends the seconds that it took itself."""
    taken: dict[str, list[float]] = defaultdict(list)
    inner = [0.0]

    def wrap(name: str, function: Callable) -> Callable:
        @functools.wraps(function)  # a colour network is asked for its signature
        def timed(*args: Any, **settings: Any) -> Any:
            outside, inner[0] = inner[0], 0.0
            begin = time.perf_counter()
            result = function(*args, **settings)
            whole = time.perf_counter() - begin
            taken[name].append(whole - inner[0])
            inner[0] = outside + whole
            return result

        return timed

    trainer: Any = run.trainer
    model: Any = run.model
    run.batches.draw = wrap("draw rays", run.batches.draw)
    model.sampler.refresh = wrap("renew cache", model.sampler.refresh)
    model.sampler.forward = wrap("place samples", model.sampler.forward)
    model.field.forward = wrap("field", model.field.forward)
    model.field.appearance.forward = wrap("colours", model.field.appearance.forward)
    trainer.recipe.forward = wrap("compositing and loss", trainer.recipe.forward)
    torch.Tensor.backward = wrap("backward", torch.Tensor.backward)
    trainer.optimizer.step_async = wrap("optimizer", trainer.optimizer.step_async)
    return taken


def measure(model: str, steps: int) -> tuple[dict[str, float], float, float]:
    """Milliseconds per step of every part, of a whole step (wall), and in CPU time."""
    torch.set_num_threads(1)
    loss = "nerf" if model == "nerf" else "neus_eikonal"
    run, _ = prepare(configure(f"model={model}", f"loss={loss}", "dataset.views=24"))
    trainer = run.trainer
    run.initialize()

    def advance(count: int) -> None:
        for _ in range(count):
            trainer.train_step()  # what `run` repeats, without its loggers
            trainer.step += 1

    advance(150)
    unwrapped = torch.Tensor.backward
    try:
        taken = watched(run)
        wall, cpu = time.perf_counter(), time.process_time()
        advance(steps)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    finally:
        torch.Tensor.backward = unwrapped
    parts = {name: 1e3 * sum(seconds) / steps for name, seconds in taken.items()}
    return parts, 1e3 * wall / steps, 1e3 * cpu / steps


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["neus", "nerf"])
    parser.add_argument("--steps", type=int, default=200)
    asked = parser.parse_args()
    for model in asked.models:
        parts, wall, cpu = measure(model, asked.steps)
        table = Table("", "ms per step", title=f"{model}: {machine()}", box=None)
        for name, value in parts.items():
            table.add_row(name, f"{value:.2f}")
        table.add_row("the rest", f"{wall - sum(parts.values()):.2f}")
        table.add_row("whole step", f"{wall:.2f}")
        table.add_row("CPU time", f"{cpu:.2f}")
        Console(width=120).print(table)


if __name__ == "__main__":
    main()
