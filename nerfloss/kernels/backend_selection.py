"""Which kernel computes: by name (``kernels.backend``), or the fastest that can run there."""

import logging
from functools import cache

import torch
from torch import Tensor

from nerfloss.kernels.backend_availability import unavailable_reason, unsupported_reason

log = logging.getLogger(__name__)

# "auto" is the fastest that can run.
BACKENDS = ("auto", "reference", "cpu", "triton", "tcnn")


def select_backend(backend: str, device: torch.device, dtype: torch.dtype) -> str:
    """The backend of that name, or for ``auto`` the fastest that can run on such a table there.

    Raises ValueError for a name that does not exist or cannot run there.
    """
    _check_name(backend)
    name = fastest(device, dtype) if backend == "auto" else backend
    _refuse(backend, unsupported_reason(name, device, dtype))
    return name


def select_float32_backend(backend: str, *tensors: Tensor) -> str:
    """What serves beside the grid (opacities, weights, marching): reference, cpu or triton.

    Chosen as for a float32 grid, so that one setting says it for all. These kernels take nothing
    but float32: for other numbers it is the formula. tinycudann has a grid alone: then it is what
    ``auto`` takes.
    """
    asked = "auto" if backend == "tcnn" else backend
    name = select_backend(asked, tensors[0].device, torch.float32)
    return name if all(each.dtype == torch.float32 for each in tensors) else "reference"


def check_backend(backend: str) -> None:
    """Raises ValueError for a name that does not exist or cannot run on this machine at all."""
    _check_name(backend)
    _refuse(backend, unavailable_reason(backend))


def fastest(device: torch.device, dtype: torch.dtype) -> str:
    """The backend that ``auto`` takes; one line in the log where Triton would have been faster."""
    if unsupported_reason("cpu", device, dtype) is None:
        return "cpu"
    if device.type != "cuda":
        return "reference"
    reason = unsupported_reason("triton", device, dtype)
    if reason is not None:
        _say_once(reason)
    return "triton" if reason is None else "reference"


@cache
def _say_once(reason: str) -> None:
    log.info("the kernels run on plain PyTorch, Triton would be faster: %s", reason)


def _refuse(backend: str, reason: str | None) -> None:
    if reason is not None:
        raise ValueError(
            f"kernels.backend '{backend}' cannot run: {reason}; "
            "backend=auto takes the fastest that can"
        )


def _check_name(backend: str) -> None:
    if backend not in BACKENDS:
        raise ValueError(f"asked for kernels.backend '{backend}', there are {', '.join(BACKENDS)}")
