"""What surrounds the steps: the first step of a run, a view of 200x200, a mesh of 256^3.

python benchmarks/evaluation.py
python benchmarks/evaluation.py --steps 2000 --threads 1
"""

# ruff: noqa: E402 (the clock starts before torch is loaded: a user waits for that too)
import time

BEGAN = time.perf_counter()

import argparse

import torch
from rich.console import Console
from rich.table import Table
from runs import configure, machine, prepare  # first: it sets how threads wait

from nerfloss.assembly.run import Run
from nerfloss.data.synthetic.camera_layouts import cameras_at
from nerfloss.evaluation.model_mesh import mesh_of_model
from nerfloss.training.loggers.logger import Loggers


def view_seconds(run: Run, size: int) -> float:
    """Render one image of size x size as the evaluator does, in chunks of rays."""
    cameras = cameras_at(torch.tensor([[0.0, -2.7, 0.5]]), size, 38.0)
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    pixel = torch.stack([columns, rows], dim=-1).reshape(-1, 2) + 0.5
    view = torch.zeros(len(pixel), dtype=torch.long)
    rays = cameras.rays(view, pixel, torch.ones(len(pixel), 3))
    subject, begin = run.subject(), time.perf_counter()
    with torch.no_grad():
        for part in rays.chunks(run.evaluator.chunk):
            _ = subject.render(part, {"rgb"})["rgb"]
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=200, help="of the view, in pixels")
    parser.add_argument("--mesh", type=int, default=256, help="grid cells along an edge")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    cfg = configure("model=neus", f"trainer.max_steps={asked.steps}", mesh=asked.mesh)
    run, _ = prepare(cfg)
    trainer = run.trainer
    run.initialize()
    with trainer.timer.running():
        trainer.train_step()
    trainer.step += 1
    rows = {"first step after the start of the program": time.perf_counter() - BEGAN}
    run.train(Loggers())
    view_seconds(run, asked.size)
    seconds = min(view_seconds(run, asked.size) for _ in range(3))
    rows[f"view of {asked.size}x{asked.size}"] = seconds
    subject, begin = run.subject(), time.perf_counter()
    extracted, reason = mesh_of_model(subject, run.evaluator.mesh)
    found = reason if extracted is None else f"{len(extracted.mesh.faces)} triangles"
    rows[f"mesh of {asked.mesh}^3 ({found})"] = time.perf_counter() - begin
    table = Table("", "seconds", title=f"{machine()}, {asked.threads} threads", box=None)
    for name, seconds in rows.items():
        table.add_row(name, f"{seconds:.2f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
