"""What computes a small network: loops on the CPU, Triton where it is worth it, or formulas."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from torch import Tensor

from nerfloss.kernels.backend_selection import serving
from nerfloss.kernels.triton import tuning as triton_tuning


def passes(kind: str, backend: str, inputs: Tensor, parameters: Sequence[Tensor]) -> Any:
    """The file with both passes of a ``kind`` of network, mlp or sdf_mlp; None: the formulas.

    Triton's are for small sizes, and used once they are known to be faster than a matrix product
    after the other (`triton_tuning.FUSED_NETWORKS`).
    """
    name = serving(backend, inputs)
    if name == "triton":
        name = "triton" if _fused(inputs, parameters) else "reference"
    folder = {"cpu": "numba", "triton": "triton"}.get(name)
    return None if folder is None else import_module(f"nerfloss.kernels.{folder}.{kind}")


def _fused(inputs: Tensor, parameters: Sequence[Tensor]) -> bool:
    if not triton_tuning.FUSED_NETWORKS:
        return False
    from nerfloss.kernels.triton.layers import fits

    return fits(inputs, parameters)
