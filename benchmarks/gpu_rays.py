"""Measure the kernels along rays on a GPU (opacity, weights, sums, march) against the formulas.

Each reads and writes its numbers once, so the floor is their bytes over the copy's bandwidth. The
march's is left out: it looks up a cache that fits into L2 many times.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from nerfloss.geometry import Rays
from nerfloss.kernels import compositing
from nerfloss.kernels.triton import compositing as triton_compositing
from nerfloss.kernels.triton import density_alpha
from nerfloss.samplers.cached_grid import CachedGrid
from nerfloss.samplers.march import March, place_samples

FLOAT = 4
BOX = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
Given = dict[str, Tensor]


@dataclass(frozen=True)
class Batch:
    """Numbers of rays and of samples per ray."""

    rays: int = 2**15
    samples: int = 8

    def name(self) -> str:
        return f"{self.rays} rays, {self.samples} samples"


def sweep(*, dry: bool) -> Iterator[Batch]:
    """Training's few samples on many rays, evaluation's many on fewer."""
    yield from (
        (Batch(9, 5),) if dry else (Batch(), Batch(2**17), Batch(2**15, 24), Batch(2**12, 64))
    )


def inputs(batch: Batch, device: torch.device, seed: int) -> Given:
    """Fresh arguments: samples near a surface, gradients laid out as the field has them."""
    draw, shape = torch.Generator(device).manual_seed(seed), (batch.rays, batch.samples)

    def normal(*size: int) -> Tensor:
        return torch.randn(size, generator=draw, device=device)

    starts = torch.rand(shape, generator=draw, device=device).sort(-1).values
    return {
        "sdf": 0.05 * normal(*shape),
        "gradients": normal(3, batch.rays * batch.samples).t().reshape(*shape, 3),
        "directions": normalize(normal(batch.rays, 3), dim=-1),
        "t_starts": starts,
        "t_ends": starts + 0.02,
        "sharpness": torch.tensor(50.0, device=device),
        "alphas": torch.rand(shape, generator=draw, device=device) ** 2,
        "colors": normal(*shape, 3),
        "to": normal(*shape),
    }


def five(x: Given) -> list[Tensor]:
    return [x[name] for name in ("sdf", "gradients", "directions", "t_starts", "t_ends")]


@dataclass(frozen=True)
class Operation:
    """A function of named arguments, the ones that it is differentiated by, and its two passes.

    ``per_sample`` and ``per_ray`` numbers are read and written by both passes together.
    """

    function: Callable[..., Tensor]
    names: str
    learned: str
    passes: Callable[[Any, Given], Any]
    per_sample: int
    per_ray: int = 0


LATE = 0.5
OPERATIONS = {
    "opacity of NeuS": Operation(
        partial(compositing.neus_alphas, progress=0.1 * LATE, anneal_end=0.1),
        "sdf gradients directions t_starts t_ends sharpness",
        "sdf gradients sharpness",
        lambda p, x: (
            p.neus_alphas(five(x), x["sharpness"], LATE),
            p.neus_alphas_backward(five(x), x["sharpness"], LATE, x["to"]),
        ),
        per_sample=6 + 1 + 7 + 4,
        per_ray=2 * 3,
    ),
    "opacity of VolSDF": Operation(
        compositing.volsdf_alphas,
        "sdf t_starts t_ends sharpness",
        "sdf sharpness",
        lambda _, x: (
            density_alpha.density_alphas(x["sdf"], x["t_starts"], x["t_ends"], x["sharpness"]),
            density_alpha.density_alphas_backward(
                x["sdf"], x["t_starts"], x["t_ends"], x["sharpness"], x["to"]
            ),
        ),
        per_sample=3 + 1 + 4 + 1,
    ),
    "weights": Operation(
        compositing.compositing_weights,
        "alphas",
        "alphas",
        lambda p, x: (p.weights(x["alphas"]), p.weights_backward(x["alphas"], x["to"])),
        per_sample=1 + 1 + 2 + 1,
    ),
    "sums of colours": Operation(
        compositing.composited,
        "alphas colors",
        "alphas colors",
        lambda p, x: (
            p.composited(x["alphas"], x["colors"]),
            p.composited_backward(x["alphas"], x["colors"], x["directions"]),
        ),
        per_sample=4 + 4 + 4,
        per_ray=2 * 3,
    ),
}


def both_ways(operation: Operation, given: Given, backend: str) -> list[Tensor]:
    """The values of an operation as a model calls it, and its derivatives."""
    own = [given[name].detach() for name in operation.names.split()]
    learned = operation.learned.split()
    moving = [
        each.requires_grad_()
        for name, each in zip(operation.names.split(), own, strict=True)
        if name in learned
    ]
    with torch.enable_grad():
        values = operation.function(*own, backend=backend)
    to = given["to"] if values.shape == given["to"].shape else given["directions"]
    return [values.detach(), *torch.autograd.grad(values, moving, to)]


def march_past_a_ball(given: Given, resolution: int) -> Callable[[str], list[Tensor]]:
    """A function that places samples around a cached ball, by a backend."""
    device, count = given["directions"].device, len(given["directions"])
    grid, box = CachedGrid(resolution).to(device), torch.tensor(BOX, device=device)
    axis = (torch.arange(resolution, device=device) + 0.5) / resolution * 2 - 1
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    grid.values.copy_(torch.stack([x, y, z]).norm(dim=0) - 0.5)
    origins = -2.0 * given["directions"] + 0.3
    nothing = torch.zeros(count, dtype=torch.int64, device=device)
    rays = Rays(origins, given["directions"], origins[:, :2], nothing, origins)
    step = 2 / resolution
    plan = March(step, 1.5 * step, 60.0, 1.0, 0.3, 4)

    def march(backend: str) -> list[Tensor]:
        samples = given["sdf"].shape[1]
        placed = place_samples(rays, grid, box, plan, samples, None, backend=backend)
        return [placed.t_starts, placed.t_ends]

    return march


def ray_errors(device: torch.device, *, dry: bool) -> dict[str, float]:
    """Largest distance from the formulas over their norm, by operation; of the march, the usual."""
    given, found = inputs(next(sweep(dry=dry)), device, seed=1), {}
    for name, operation in OPERATIONS.items():
        ours, right = (both_ways(operation, given, each) for each in ("triton", "reference"))
        found[name] = max(
            float((a - b).norm() / b.norm().clamp_min(1e-30))
            for a, b in zip(ours, right, strict=True)
        )
    march = march_past_a_ball(given, 8 if dry else 96)
    pairs = zip(march("triton"), march("reference"), strict=True)
    # Rounding may make a step at the very edge of the band a candidate or not: on few rays.
    found["march"] = max(float((a - b).abs().amax(-1).median()) for a, b in pairs)
    return found


def ray_rows(
    device: torch.device, timed: Callable, rates: dict[str, float], *, dry: bool
) -> Iterator[dict[str, Any]]:
    """One row per backend and operation, forward and backward together."""
    for batch in sweep(dry=dry):
        sets = [inputs(batch, device, seed) for seed in (2, 3, 4)]
        marches = [march_past_a_ball(given, 8 if dry else 96) for given in sets]
        for backend in ("triton", "reference"):
            said = {"setting": batch.name(), "backend": backend}
            for name, operation in OPERATIONS.items():
                numbers = batch.rays * (batch.samples * operation.per_sample + operation.per_ray)
                floor = FLOAT * numbers / rates["copy"]
                launched = timed([partial(both_ways, operation, x, backend) for x in sets])
                seconds = launched
                if backend == "triton":
                    passes = [partial(operation.passes, triton_compositing, x) for x in sets]
                    seconds = timed(passes, graphed=True)
                yield {
                    **said, "operation": name, "milliseconds": 1e3 * seconds,
                    "with launches": 1e3 * launched, "floor": 1e3 * floor,
                    "share": floor / seconds,
                }  # fmt: skip
            seconds = timed([partial(march, backend) for march in marches])
            yield {
                **said, "operation": "march", "milliseconds": 1e3 * seconds,
                "with launches": 1e3 * seconds,
            }  # fmt: skip
