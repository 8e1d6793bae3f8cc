"""Measure the hash grid's CPU kernel against plain PyTorch: each operation, and one NeuS step.

    python benchmarks/hash_grid.py --tables 15 19 --threads 1 2

Contenders take turns, round by round, so that a change of the machine's speed meets them all alike.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: see nerfloss.kernels.threads

import argparse
import platform
import time
from collections.abc import Callable
from statistics import median

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.sdf_network import SDFNetwork
from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.numba import hash_grid as numba_hash_grid
from nerfloss.kernels.reference import hash_grid as reference

Contenders = dict[str, Callable[[], object]]
COMPILED, EXPLICIT, PLAIN = "compiled", "torch, explicit gradient", "torch, double backward"
REQUIRED = 2.5  # how many times faster than the reference a step must be


def operations(layout: GridLayout, points: Tensor) -> dict[str, Contenders]:
    """The kernel's operations on random arguments."""
    count = len(points)
    table = torch.randn(layout.entries, layout.features)
    grad, jvp_grad = torch.randn(layout.channels, count).t(), torch.randn(count, layout.channels)
    tangent, at = torch.randn(count, 3), (layout, layout.levels)
    arguments = {
        "features": (points, table),
        "vjp": (points, table, grad),
        "jvp": (points, table, tangent),
        "hvp": (points, table, grad, tangent),
        "scatter": (points, grad, tangent, jvp_grad),
    }
    return {
        name: {
            COMPILED: lambda name=name, given=given: getattr(numba_hash_grid, name)(*given, *at),
            EXPLICIT: lambda name=name, given=given: getattr(reference, name)(*given, *at),
        }
        for name, given in arguments.items()
    }


def network(layout: GridLayout, backend: str) -> SDFNetwork:
    grid = HashGrid(
        levels=layout.levels,
        features=layout.features,
        log2_hashmap_size=layout.log2_hashmap_size,
        base_resolution=layout.base_resolution,
        max_resolution=layout.max_resolution,
        backend=backend,
    )
    return SDFNetwork(grid)


def explicit_step(model: SDFNetwork, points: Tensor) -> None:
    """Outputs, gradients, and the derivatives of a loss on both."""
    distance, embedding, gradients = model.with_gradients(points)
    finish(model, distance.square().sum() + embedding.square().sum(), gradients)


def plain_step(model: SDFNetwork, points: Tensor) -> None:
    """The same as PyTorch does it unaided: reverse over reverse."""
    points = points.detach().requires_grad_()
    values = torch.cat([model.grid(points), points], -1)
    for layer in list(model.layers)[:-1]:
        values = nn.functional.softplus(layer(values), beta=model.beta)
    outputs = model.layers[-1](values)
    (gradients,) = torch.autograd.grad(outputs[:, 0].sum(), points, create_graph=True)
    finish(model, outputs.square().sum(), gradients)


def finish(model: SDFNetwork, of_outputs: Tensor, gradients: Tensor) -> None:
    loss = of_outputs / len(gradients) + (gradients.norm(dim=-1) - 1).square().mean()
    model.zero_grad(set_to_none=True)
    loss.backward()


def steps(layout: GridLayout, points: Tensor) -> dict[str, Contenders]:
    compiled, plain = network(layout, "cpu"), network(layout, "reference")
    scaled = 2 * points - 1
    return {
        "NeuS step": {
            COMPILED: lambda: explicit_step(compiled, scaled),
            EXPLICIT: lambda: explicit_step(plain, scaled),
            PLAIN: lambda: plain_step(plain, scaled),
        }
    }


def measure(contenders: Contenders, rounds: int) -> dict[str, float]:
    """Median wall-clock seconds of each, taking turns; the first round warms up."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, run in contenders.items():
            begin = time.perf_counter()
            run()
            if turn > 0:
                taken[name].append(time.perf_counter() - begin)
    return {name: median(seconds) for name, seconds in taken.items()}


def report(title: str, rows: dict[str, dict[str, float]], points: int, console: Console) -> None:
    table = Table("ns per point", COMPILED, EXPLICIT, PLAIN, "ratio", title=title, box=None)
    for name, seconds in rows.items():
        cells = [
            f"{seconds[key] / points * 1e9:.0f}" if key in seconds else ""
            for key in (COMPILED, EXPLICIT, PLAIN)
        ]
        others = [value / seconds[COMPILED] for key, value in seconds.items() if key != COMPILED]
        table.add_row(name, *cells, " / ".join(f"{ratio:.1f}" for ratio in others))
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, nargs="+", default=[15], help="log2 of table sizes")
    parser.add_argument("--threads", type=int, nargs="+", default=[torch.get_num_threads()])
    parser.add_argument("--points", type=int, default=32768)
    parser.add_argument("--levels", type=int, default=16)
    parser.add_argument("--max-resolution", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    console = Console(width=110)
    load = os.getloadavg()[0]
    console.print(
        f"{platform.processor() or platform.machine()}, torch {torch.__version__}, "
        f"load before the start {load:.1f}"
    )
    torch.manual_seed(0)
    points = torch.rand(asked.points, 3)
    for log2_hashmap_size in asked.tables:
        layout = GridLayout(asked.levels, 2, log2_hashmap_size, 16, asked.max_resolution)
        for threads in asked.threads:
            torch.set_num_threads(threads)
            contenders = operations(layout, points) | steps(layout, points)
            rows = {name: measure(each, asked.rounds) for name, each in contenders.items()}
            title = f"{asked.levels} x 2, table 2^{log2_hashmap_size}, {threads} threads"
            report(f"{asked.points} points, {title}", rows, asked.points, console)
            ratio = rows["NeuS step"][EXPLICIT] / rows["NeuS step"][COMPILED]
            verdict = "holds" if ratio >= REQUIRED else "FAILS"
            console.print(f"step at least {REQUIRED} times faster than the reference: {verdict}\n")


if __name__ == "__main__":
    main()
