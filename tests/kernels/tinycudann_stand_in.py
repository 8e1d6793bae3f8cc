"""A stand-in for tinycudann, which needs a GPU and a build: the interface that it documents.

`Encoding(n_input_dims, encoding_config, dtype=...)` with its ``params`` in one row of numbers, as
its documents and its published formulas describe the grid: vertices half a cell off, rows rounded
up to a multiple of 8, hashing by xor, indices modulo the rows. Only first derivatives, on purpose.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

FACTORS = (1, 2654435761, 805459861)
KNOWN = {
    "otype", "n_levels", "n_features_per_level", "log2_hashmap_size", "base_resolution",
    "per_level_scale", "interpolation",
}  # fmt: skip


class Encoding(nn.Module):
    """A multi-resolution hash grid as tinycudann has it."""

    def __init__(
        self, n_input_dims: int, encoding_config: dict[str, Any], dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        assert n_input_dims == 3
        assert encoding_config["otype"] == "HashGrid"
        assert set(encoding_config) <= KNOWN
        self.config, self.dtype = encoding_config, dtype or torch.float16
        self.features = encoding_config["n_features_per_level"]
        self.grids, rows = [], 0
        for level in range(encoding_config["n_levels"]):
            scale = encoding_config["base_resolution"] * encoding_config["per_level_scale"] ** level
            side = int(-(-(scale - 1) // 1)) + 1
            own = min(-(-(side**3) // 8) * 8, 2 ** encoding_config["log2_hashmap_size"])
            self.grids.append((scale - 1, side, rows, own))
            rows += own
        self.params = nn.Parameter(torch.zeros(rows * self.features))

    def forward(self, points: Tensor) -> Tensor:
        """Features in the encoding's own precision; points are read as float32."""
        read = _Once.apply(points.float(), self.params.to(self.dtype), self)
        return read.to(self.dtype)

    def interpolate(self, points: Tensor, params: Tensor) -> Tensor:
        table, found = params.float().unflatten(0, (-1, self.features)), []
        for scale, side, first, rows in self.grids:
            at = points * scale + 0.5
            low = at.detach().floor()
            share, total = at - low, 0
            for corner in range(8):
                ahead = torch.tensor([corner & 1, corner >> 1 & 1, corner >> 2])
                x, y, z = (low.long() + ahead).unbind(-1)
                if side**3 <= rows:
                    index = x + y * side + z * side**2
                else:
                    index = x * FACTORS[0] ^ y * FACTORS[1] ^ z * FACTORS[2]
                weight = torch.where(ahead > 0, share, 1 - share).prod(-1)
                total = total + weight[:, None] * table[first + index % 2**32 % rows]
            found.append(total)
        return torch.cat(found, -1)


class _Once(torch.autograd.Function):
    """First derivatives; asking for second ones is an error."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, params: Tensor, encoding: Encoding) -> Tensor:
        ctx.save_for_backward(points, params)
        ctx.encoding = encoding
        return encoding.interpolate(points, params)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        with torch.enable_grad():
            points, params = (each.detach().requires_grad_() for each in ctx.saved_tensors)
            found = ctx.encoding.interpolate(points, params)
        to_points, to_params = torch.autograd.grad(found, (points, params), grad)
        return to_points, to_params, None
