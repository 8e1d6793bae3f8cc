"""Measure the compiled networks and compositing against plain PyTorch and a lower bound.

    python benchmarks/networks.py --points 4096 32768

The floor is the time that the multiplications alone would take at the rate at which this machine,
in the same run, multiplies matrices of 512 x 512.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: see nerfloss.kernels.threads

import argparse
from itertools import pairwise

import torch
from hash_grid import measure
from rich.console import Console
from rich.table import Table
from torch import Tensor

from nerfloss.kernels import compositing
from nerfloss.kernels.numba import mlp as numba_mlp
from nerfloss.kernels.numba import sdf_mlp as numba_sdf_mlp
from nerfloss.kernels.reference import sdf_mlp as reference_sdf_mlp
from nerfloss.maths import compositing as plain_compositing
from nerfloss.maths import sdf_opacity

DISTANCE, COLOR = (19, 64, 16), (34, 64, 64, 3)
COMPILED, PLAIN, FLOOR = "compiled", "torch", "floor"


def layers(sizes: tuple[int, ...]) -> list[Tensor]:
    parameters = []
    for inner, outer in pairwise(sizes):
        parameters += [torch.randn(outer, inner) / inner**0.5, torch.zeros(outer)]
    return parameters


def multiplications(sizes: tuple[int, ...]) -> int:
    return sum(inner * outer for inner, outer in pairwise(sizes))


def contenders(points: int) -> tuple[dict[str, dict], dict[str, float]]:
    """Each operation, forward and backward together, and the multiply-adds that it needs."""
    inputs, parameters = torch.randn(DISTANCE[0], points), layers(DISTANCE)
    outputs, input_gradient = torch.randn(DISTANCE[-1], points), torch.randn(DISTANCE[0], points)

    def distance(forward, backward) -> None:
        forward(inputs, parameters, 100.0, True)
        backward(inputs, parameters, 100.0, outputs, input_gradient)

    seen, shades = torch.randn(COLOR[0], points), layers(COLOR)
    to_colors = torch.randn(COLOR[-1], points)
    learned = [each.clone().requires_grad_() for each in (seen, *shades)]

    def color() -> None:
        numba_mlp.forward(seen, shades)
        numba_mlp.backward(seen, shades, to_colors)

    def plain_color() -> None:
        values = learned[0]
        for layer in range(1, len(learned), 2):
            values = torch.addmm(learned[layer + 1][:, None], learned[layer], values)
            values = torch.relu(values) if layer + 2 < len(learned) else values
        torch.autograd.grad(values, learned, to_colors)

    rays = points // 8
    sdf = (0.05 * torch.randn(rays, 8)).requires_grad_()
    gradients = torch.randn(rays, 8, 3).requires_grad_()
    directions = torch.nn.functional.normalize(torch.randn(rays, 3), dim=-1)
    starts = torch.rand(rays, 8)
    sharpness = torch.tensor(50.0, requires_grad=True)

    def composite(alphas, weights) -> None:
        opaque = alphas(sdf, gradients, directions, starts, starts + 0.02, sharpness, 1.0)
        torch.autograd.grad(weights(opaque).sum(), (sdf, gradients, sharpness))

    timed = {
        "distance network": {
            COMPILED: lambda: distance(numba_sdf_mlp.forward, numba_sdf_mlp.backward),
            PLAIN: lambda: distance(reference_sdf_mlp.forward, reference_sdf_mlp.backward),
        },
        "colour network": {COMPILED: color, PLAIN: plain_color},
        "opacity and weights": {
            COMPILED: lambda: composite(compositing.neus_alphas, compositing.compositing_weights),
            PLAIN: lambda: composite(
                sdf_opacity.neus_alphas, plain_compositing.compositing_weights
            ),
        },
    }
    # The distance network's first layer is met six times (values, gradient, and the derivatives of
    # both by inputs and by weights), its last three times, as every layer of the colour network.
    first, last = DISTANCE[0] * DISTANCE[1], DISTANCE[1] * DISTANCE[2]
    needed = {
        "distance network": points * (6.0 * first + 3.0 * last),
        "colour network": points * 3.0 * multiplications(COLOR),
    }
    return timed, needed


def rate() -> float:
    """Multiply-adds per second of a large matrix product."""
    a = torch.randn(512, 512)
    seconds = measure({"matmul": lambda: a @ a}, 15)["matmul"]
    return 512**3 / seconds


def ratios(points: int, rounds: int = 15) -> dict[str, dict[str, float]]:
    """Seconds of every contender, and of the floor where one is known."""
    timed, needed = contenders(points)
    speed = rate()
    found = {name: measure(each, rounds) for name, each in timed.items()}
    for name, count in needed.items():
        found[name][FLOOR] = count / speed
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, nargs="+", default=[4096, 32768])
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    console = Console(width=110)
    for points in asked.points:
        title = f"{points} points, forward and backward, {asked.threads} threads, ns per point"
        table = Table("", COMPILED, PLAIN, FLOOR, "torch / compiled", title=title, box=None)
        for name, seconds in ratios(points).items():
            cells = [f"{seconds[k] / points * 1e9:.0f}" if k in seconds else ""
                     for k in (COMPILED, PLAIN, FLOOR)]  # fmt: skip
            table.add_row(name, *cells, f"{seconds[PLAIN] / seconds[COMPILED]:.1f}")
        console.print(table)


if __name__ == "__main__":
    main()
