"""Backends of the kernels: the table of implementations, and the choice of one."""

import logging
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from nerfloss.kernels.backend_availability import unavailable_reason, unsupported_reason

log = logging.getLogger(__name__)

# "auto" is the fastest that can run.
BACKENDS = ("auto", "reference", "cpu", "triton", "tcnn")

# The module that implements an operation, by backend. Where a backend is missing, the formulas in
# the operation's own module are used. Modules are imported when they are needed: numba takes half a
# second to load, and triton and tinycudann may not be installed.
IMPLEMENTATIONS: dict[str, dict[str, str]] = {
    "hash_grid": {
        "reference": "nerfloss.kernels.reference.hash_grid",
        "cpu": "nerfloss.kernels.numba.hash_grid",
        "triton": "nerfloss.kernels.triton.hash_grid",
        "tcnn": "nerfloss.kernels.tinycudann",
    },
    "sdf_mlp": {
        "reference": "nerfloss.kernels.reference.sdf_mlp",
        "cpu": "nerfloss.kernels.numba.sdf_mlp",
        "triton": "nerfloss.kernels.reference.sdf_mlp",
    },
    "mlp": {"cpu": "nerfloss.kernels.numba.mlp"},
    "compositing": {
        "cpu": "nerfloss.kernels.numba.compositing",
        "triton": "nerfloss.kernels.triton.compositing",
    },
    "density_alpha": {"triton": "nerfloss.kernels.triton.density_alpha"},
    "lens": {"cpu": "nerfloss.kernels.numba.lens"},
    "march": {"cpu": "nerfloss.kernels.numba.march", "triton": "nerfloss.kernels.triton.march"},
    "directions": {"cpu": "nerfloss.kernels.numba.directions"},
    "patch_consistency": {"cpu": "nerfloss.kernels.numba.patch_consistency"},
    "pixel_ops": {"cpu": "nerfloss.kernels.numba.pixel_ops"},
    "point_ops": {"cpu": "nerfloss.kernels.numba.point_ops"},
}


@cache
def implementation(operation: str, backend: str) -> Any:
    """Return the module that implements an operation; None where the formulas are used.

    The caller states the Protocol that the module follows.
    """
    module = IMPLEMENTATIONS[operation].get(backend)
    return None if module is None else import_module(module)


def select_backend(backend: str, device: torch.device, dtype: torch.dtype) -> str:
    """Return the named backend, or for ``auto`` the fastest for a table of this type and device.

    Raises ValueError for a name that does not exist or a backend that cannot run there.
    """
    _check_name(backend)
    name = fastest(device, dtype) if backend == "auto" else backend
    _raise_if(backend, unsupported_reason(name, device, dtype))
    return name


def select_float32_backend(backend: str, *tensors: Tensor) -> str:
    """Return the backend of an operation other than the hash grid: reference, cpu or triton.

    It is selected as for a float32 grid on the first tensor's device, so that one setting applies
    to all operations. Tensors of another dtype take the reference. tinycudann has only a grid, so
    the other operations take what ``auto`` selects.
    """
    name = "auto" if backend == "tcnn" else backend
    name = select_backend(name, tensors[0].device, torch.float32)
    return name if all(each.dtype == torch.float32 for each in tensors) else "reference"


def check_backend(backend: str) -> None:
    """Raise ValueError for a name that does not exist or a backend that cannot run here at all."""
    _check_name(backend)
    _raise_if(backend, unavailable_reason(backend))


def fastest(device: torch.device, dtype: torch.dtype) -> str:
    """Return the backend of ``auto``; log one line where Triton would have been faster."""
    if unsupported_reason("cpu", device, dtype) is None:
        return "cpu"
    if device.type != "cuda":
        return "reference"
    reason = unsupported_reason("triton", device, dtype)
    if reason is not None:
        _log_once(reason)
    return "triton" if reason is None else "reference"


@cache
def _log_once(reason: str) -> None:
    log.info("the kernels run on plain PyTorch, Triton would be faster: %s", reason)


def _raise_if(backend: str, reason: str | None) -> None:
    if reason is not None:
        raise ValueError(
            f"kernels.backend '{backend}' cannot run: {reason}; "
            "backend=auto takes the fastest that can"
        )


def _check_name(backend: str) -> None:
    if backend not in BACKENDS:
        raise ValueError(f"asked for kernels.backend '{backend}', there are {', '.join(BACKENDS)}")
