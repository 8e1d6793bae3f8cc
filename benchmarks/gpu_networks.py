"""The small networks on a GPU: each as one kernel of Triton's, and as the library's products.

What decides over `nerfloss.kernels.triton.tuning.FUSED_NETWORKS`: forward and backward together, on
as many points as a step has.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from nerfloss.kernels import sdf_mlp
from nerfloss.kernels.mlp import apply_mlp
from nerfloss.kernels.triton import mlp as triton_mlp
from nerfloss.kernels.triton import sdf_mlp as triton_sdf_mlp
from nerfloss.kernels.triton.layers import GUESSED, Sharing

DISTANCES, COLOR = {1: (35, 64, 16), 2: (35, 64, 64, 16)}, (34, 64, 64, 3)
BETA = 100.0
WAYS = {
    "triton, one kernel": GUESSED,
    "triton, 32 points": Sharing(points=32),
    "triton, 64 points, 8 warps": Sharing(warps=8),
    "triton, 128 points, 8 warps": Sharing(points=128, warps=8),
}
LIBRARY = "reference"
Given = tuple[Tensor, list[Tensor], Tensor, Tensor]


def inputs(sizes: tuple[int, ...], count: int, device: torch.device, seed: int) -> Given:
    """Points, parameters, and what comes back to outputs and pull."""
    draw = torch.Generator(device).manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw, device=device)

    parameters = []
    for inner, outer in pairwise(sizes):
        parameters += [normal(outer, inner) / inner**0.5, 0.1 * normal(outer)]
    return normal(sizes[0], count), parameters, normal(sizes[-1], count), normal(sizes[0], count)


def distance(given: Given, sharing: Sharing | None) -> list[Tensor]:
    """Values, pull and their backward; without a sharing by the library."""
    points, parameters, to_outputs, to_pull = given
    at, to = (points, parameters, BETA), (to_outputs, to_pull)
    if sharing is None:
        values = sdf_mlp.reference_forward(*at, True)
        first, others = sdf_mlp.reference_backward(*at, *to)
    else:
        values = triton_sdf_mlp.forward(*at, True, sharing)
        first, others = triton_sdf_mlp.backward(*at, *to, sharing)
    return [*values, first, *others]


def color(given: Given, sharing: Sharing | None) -> list[Tensor]:
    """Colours and their backward."""
    points, parameters, to_outputs, _ = given
    if sharing is not None:
        seen = triton_mlp.forward(points, parameters, True, sharing)
        first, others = triton_mlp.backward(points, parameters, to_outputs, seen, sharing)
        return [seen, first, *others]
    moving = [each.detach().requires_grad_() for each in (points, *parameters)]
    with torch.enable_grad():
        seen = apply_mlp(moving[0], moving[1:], squash=True, backend="reference")
    return [seen.detach(), *torch.autograd.grad(seen, moving, to_outputs)]


NETWORKS: dict[str, tuple[Callable[[Given, Sharing | None], list[Tensor]], tuple[int, ...]]] = {
    "distance network, 1 hidden": (distance, DISTANCES[1]),
    "distance network, 2 hidden": (distance, DISTANCES[2]),
    "colour network": (color, COLOR),
}


def network_errors(device: torch.device, *, dry: bool) -> dict[str, float]:
    """Largest distance from the library's over the norm in double precision, by network."""
    found = {}
    for name, (run, sizes) in NETWORKS.items():
        points, parameters, *to = inputs(sizes, 80 if dry else 2**14, device, seed=1)
        exact = (points.double(), [p.double() for p in parameters], *(t.double() for t in to))
        pairs = zip(run((points, parameters, *to), GUESSED), run(exact, None), strict=True)
        found[name] = max(float((a - b).norm() / b.norm().clamp_min(1e-30)) for a, b in pairs)
    return found


def network_rows(device: torch.device, timed: Callable, *, dry: bool) -> Iterator[dict[str, Any]]:
    """One row per way and network; the library's products first."""
    for name, (run, sizes) in NETWORKS.items():
        for count in (80,) if dry else (2**16, 2**18, 2**20):
            sets = [inputs(sizes, count, device, seed) for seed in (2, 3)]
            for way, sharing in [(LIBRARY, None), *list(WAYS.items())[: 1 if dry else None]]:
                seconds = timed([partial(run, given, sharing) for given in sets])
                yield {
                    "setting": f"{count} points", "backend": way, "operation": name,
                    "milliseconds": 1e3 * seconds, "with launches": 1e3 * seconds,
                }  # fmt: skip
