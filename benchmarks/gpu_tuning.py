"""Other ways to share out the work of Triton's hash grid, timed side by side."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from gpu_work import Setting, inputs
from torch import Tensor

from nerfloss.kernels.triton import grid_gather, grid_scatter
from nerfloss.kernels.triton.tuning import Tuning

WAYS = {
    "as set": Tuning(),
    "levels inside": Tuning(level_outer=False),
    "64 points, 2 warps": Tuning(block=64, warps=2),
    "256 points, 4 warps": Tuning(block=256, warps=4),
    "256 points, 8 warps": Tuning(block=256, warps=8),
    "512 points, 4 warps": Tuning(block=512, warps=4),
    "no copies": Tuning(copies=1),
    "8 copies": Tuning(copies=8),
    "copies of fuller levels": Tuning(crowded=512),
    "copies of emptier levels": Tuning(crowded=16, private_rows=2**22),
}


Rows = Iterator[dict[str, Any]]


def tuning_rows(device: torch.device, timed: Callable[..., float], *, dry: bool) -> Rows:
    """Reading with jacobian and scattering both orders, on random points and along rays."""
    for order in ("rays",) if dry else ("random", "rays"):
        size = {"points": 64, "log2_hashmap_size": 7, "levels": 2} if dry else {"points": 2**20}
        setting = Setting(**size, order=order)
        sets = [inputs(setting, device, seed) for seed in (2, 3)]
        for way, tuning in list(WAYS.items())[: 2 if dry else None]:
            calls = {
                "features and jacobian": partial(read, setting=setting, tuning=tuning),
                "scatter, both orders": partial(scatter, setting=setting, tuning=tuning),
            }
            if way == "as set":
                into = partial(scatter, setting=setting, tuning=tuning, dtype=torch.float16)
                calls["scatter, both orders, into float16"] = into
            for name, call in calls.items():
                seconds = timed([partial(call, given) for given in sets], graphed=True)
                yield {
                    "setting": setting.name(), "backend": f"triton, {way}", "operation": name,
                    "milliseconds": 1e3 * seconds,
                }  # fmt: skip


def read(x: dict[str, Tensor], *, setting: Setting, tuning: Tuning) -> Any:
    layout, levels = setting.layout, setting.levels
    return grid_gather.gather(
        x["points"], x["table"], None, layout, levels, jacobian=True, tuning=tuning
    )


def scatter(
    x: dict[str, Tensor], *, setting: Setting, tuning: Tuning, dtype: torch.dtype | None = None
) -> Any:
    both, at = (x["grad"], x["tangent"], x["jvp_grad"]), (setting.layout, setting.levels)
    return grid_scatter.scatter(x["points"], *both, *at, dtype=dtype, tuning=tuning)
