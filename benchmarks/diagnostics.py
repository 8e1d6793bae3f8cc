"""What a look of the diagnostics costs, in plain steps.

    python benchmarks/diagnostics.py --steps 60

Plain steps and steps with a look take turns in one run, so that both meet the same machine.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from rich.console import Console
from rich.table import Table
from runs import configure, machine, prepare  # first: it sets how threads wait

from nerfloss.diagnostics.gradient_logger import Diagnostics
from nerfloss.training.callbacks.callback import CallbackContext
from nerfloss.training.distributed.process_group import SINGLE_PROCESS
from nerfloss.training.loggers.logger import Loggers
from nerfloss.training.loggers.tensorboard import TensorBoardLogger

MORE = [f"loss.terms.{name}.weight=0.001" for name in ("opacity_entropy", "sparsity", "distortion")]
RECIPES = {"3 terms": ["loss=neus_full"], "6 terms": ["loss=neus_full", *MORE]}


def measure(overrides: list[str], steps: int) -> tuple[float, float]:
    """Median milliseconds of CPU time of a plain step and of one with a look."""
    torch.set_num_threads(1)
    run, _ = prepare(configure("model=neus", "dataset.views=24", *overrides))
    trainer = run.trainer
    run.initialize()
    taken: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder:
        diagnostics = Diagnostics(every=1)
        curves = TensorBoardLogger(Path(folder) / "tensorboard")
        context = CallbackContext(
            folder=Path(folder),
            start=1,
            recipe=run.recipe,
            parameters=trainer.optimizer.parameters,
            loggers=Loggers([curves], curves=curves),
            process_group=SINGLE_PROCESS,
        )
        diagnostics.setup(context)
        for step in range(30 + 2 * steps):
            trainer.callbacks = [diagnostics] if step % 2 else []
            begin = time.process_time()
            trainer.train_step()  # what `run` repeats, without its loggers
            trainer.step += 1
            if step >= 30:
                taken[bool(step % 2)].append(1e3 * (time.process_time() - begin))
        curves.close()
    return median(taken[False]), median(taken[True])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=60)
    steps = parser.parse_args().steps
    table = Table("recipe", "plain step, ms", "with a look, ms", "ratio", title=machine(), box=None)
    for name, overrides in RECIPES.items():
        plain, looked = measure(overrides, steps)
        table.add_row(name, f"{plain:.1f}", f"{looked:.1f}", f"{looked / plain:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
