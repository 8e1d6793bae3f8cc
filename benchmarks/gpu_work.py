"""What the hash grid's operations are given, and the least that each must move: bytes, sectors.

The floor of an operation is the longest of three times: what is read and written in order over the
copy's bandwidth, the sectors that it looks up over the cache's, those that it adds to over the
atomics'.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nerfloss.kernels.grid_layout import GridLayout
from nerfloss.kernels.reference.grid_cells import corner_rows

WARP = 32
SECTOR = 32
FLOAT = 4
STEP = "step: forward, gradient, backward"


@dataclass(frozen=True)
class Setting:
    """One point of the sweep."""

    points: int = 2**18
    log2_hashmap_size: int = 19
    levels: int = 16
    dtype: torch.dtype = torch.float32
    order: str = "random"  # or "rays"

    @property
    def layout(self) -> GridLayout:
        return GridLayout(self.levels, 2, self.log2_hashmap_size, 16, 2048)

    def name(self) -> str:
        kind = str(self.dtype).removeprefix("torch.")
        table = f"table 2^{self.log2_hashmap_size}, {self.levels} levels, {kind}"
        return f"{self.points} points ({self.order}), {table}"


def inputs(setting: Setting, device: torch.device, seed: int) -> dict[str, Tensor]:
    """Fresh arguments of all operations."""
    draw = torch.Generator(device).manual_seed(seed)
    count, layout = setting.points, setting.layout

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw, device=device)

    points = torch.rand((count, 3), generator=draw, device=device)
    if setting.order == "rays":
        samples = min(64, count)
        ends = torch.rand((2, count // samples, 1, 3), generator=draw, device=device)
        along = torch.linspace(0, 1, samples, device=device)[:, None]
        points = (ends[0] + along * (ends[1] - ends[0])).reshape(-1, 3)
    return {
        "points": points,
        "table": normal(layout.entries, layout.features).to(setting.dtype),
        # as the networks hand them over: points run fastest
        "grad": normal(layout.channels, count).t(),
        "tangent": normal(count, 3),
        "jvp_grad": normal(layout.channels, count).t(),
        "jacobian": normal(3, layout.channels, count),
    }


def operations(kernel: Any, setting: Setting) -> dict[str, Callable[[dict[str, Tensor]], Any]]:
    """What is timed, by name: each takes the inputs."""
    at = (setting.layout, setting.levels)

    def step(x: dict[str, Tensor]) -> Any:
        features, jacobian = kernel.features_and_jacobian(x["points"], x["table"], *at)
        gradient = kernel.vjp_from_jacobian(jacobian, x["grad"])
        bent = kernel.jvp_from_jacobian(jacobian, x["tangent"])
        both = (x["jvp_grad"], x["tangent"], x["grad"])
        return features, gradient, bent, kernel.scatter(x["points"], *both, *at)

    return {
        "features": lambda x: kernel.features(x["points"], x["table"], *at),
        "features and jacobian": lambda x: kernel.features_and_jacobian(
            x["points"], x["table"], *at
        ),
        "J^T g from jacobian": lambda x: kernel.vjp_from_jacobian(x["jacobian"], x["grad"]),
        "J v from jacobian": lambda x: kernel.jvp_from_jacobian(x["jacobian"], x["tangent"]),
        "J^T g": lambda x: kernel.vjp(x["points"], x["table"], x["grad"], *at),
        "J v": lambda x: kernel.jvp(x["points"], x["table"], x["tangent"], *at),
        "H v": lambda x: kernel.hvp(x["points"], x["table"], x["grad"], x["tangent"], *at),
        "scatter, first order": lambda x: kernel.scatter(x["points"], x["grad"], None, None, *at),
        "scatter, both orders": lambda x: kernel.scatter(
            x["points"], x["grad"], x["tangent"], x["jvp_grad"], *at
        ),
        STEP: step,
    }


def sectors(points: Tensor, setting: Setting, size: int) -> float:
    """Sectors per point that a warp of neighbouring points must ask for, over all levels.

    Counted on some of the points: those that one warp asks for twice count once.
    """
    layout, total = setting.layout, 0
    some = points[: max(1, min(len(points), 2**14) // WARP) * WARP]
    for grid in layout.grids:
        at = (corner_rows(some, grid) + grid.offset) * layout.features * size // SECTOR
        of_warp = torch.arange(len(some), device=some.device) // WARP
        total += (at + of_warp * 2**40).unique().numel()
    return total / len(some)


def moved(setting: Setting, points: Tensor) -> dict[str, tuple[float, float, float]]:
    """Per operation: bytes in order, bytes looked up at random, bytes added to at random."""
    count, c = setting.points, setting.layout.channels
    size = torch.finfo(setting.dtype).bits // 8
    read = SECTOR * count * sectors(points, setting, size)
    added = SECTOR * count * sectors(points, setting, FLOAT)
    numbers = {
        "features": (3 + c, 1, 0),
        "features and jacobian": (3 + 4 * c, 1, 0),
        "J^T g from jacobian": (4 * c + 3, 0, 0),
        "J v from jacobian": (4 * c + 3, 0, 0),
        "J^T g": (6 + c, 1, 0),
        "J v": (6 + c, 1, 0),
        "H v": (9 + c, 1, 0),
        "scatter, first order": (3 + c, 0, 1),
        "scatter, both orders": (6 + 2 * c, 0, 1),
        STEP: (3 + 4 * c + 2 * (4 * c + 3) + 6 + 2 * c, 1, 1),
    }
    return {
        name: (FLOAT * count * order, reads * read, adds * added)
        for name, (order, reads, adds) in numbers.items()
    }


def arithmetic(setting: Setting) -> dict[str, int]:
    """About how many operations on numbers each takes: to see that none is bound by them.

    Per point, level and corner: 8 for the row, 3 for the weight, 2 per feature and sum; more where
    jacobian are taken.
    """
    corners = 8 * setting.levels * setting.points
    per_corner = {"features": 15, "features and jacobian": 33, "J v": 22, "J^T g": 22, "H v": 38}
    per_corner |= {"scatter, first order": 15, "scatter, both orders": 28}
    sums = 2 * 3 * setting.layout.channels * setting.points
    found = {name: corners * each for name, each in per_corner.items()}
    found |= {"J^T g from jacobian": sums, "J v from jacobian": sums}
    whole = (
        "features and jacobian",
        "J^T g from jacobian",
        "J v from jacobian",
        "scatter, both orders",
    )
    return found | {STEP: sum(found[name] for name in whole)}
