"""tinycudann's own hash grid on the same points, where it is installed: what ours is measured by.

It is used as it is meant to be: one encoding for all levels, differentiated twice by autograd.
"""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import torch
from gpu_work import STEP, Setting, inputs


def tcnn_rows(setting: Setting, device: torch.device, timed: Callable) -> Iterator[dict[str, Any]]:
    """Forward alone; and forward, input gradient and double backward."""
    if find_spec("tinycudann") is None or setting.dtype == torch.bfloat16:
        return
    import tinycudann

    layout = setting.layout
    config = {
        "otype": "HashGrid",
        "n_levels": layout.levels,
        "n_features_per_level": layout.features,
        "log2_hashmap_size": layout.log2_hashmap_size,
        "base_resolution": layout.base_resolution,
        "per_level_scale": (layout.max_resolution / layout.base_resolution)
        ** (1 / max(1, layout.levels - 1)),
    }
    encoding = tinycudann.Encoding(3, config, dtype=setting.dtype).to(device)
    sets = [inputs(setting, device, seed) for seed in (2, 3, 4)]

    def forward(x: dict[str, torch.Tensor]) -> torch.Tensor:
        with torch.no_grad():
            return encoding(x["points"])

    def step(x: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
        points = x["points"].detach().requires_grad_()
        found = encoding(points)
        along = x["grad"].to(found.dtype).requires_grad_()
        (slope,) = torch.autograd.grad(found, points, along, create_graph=True)
        given = (x["jvp_grad"].to(found.dtype), x["tangent"].to(slope.dtype))
        return torch.autograd.grad((found, slope), (along, encoding.params), given)

    for name, run in {"features": forward, STEP: step}.items():
        seconds = timed([lambda run=run, x=x: run(x) for x in sets])
        yield {
            "setting": setting.name(), "backend": "tinycudann itself", "operation": name,
            "milliseconds": 1e3 * seconds, "with launches": 1e3 * seconds,
        }  # fmt: skip
