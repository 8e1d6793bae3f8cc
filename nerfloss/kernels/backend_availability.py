"""Availability of the backends: the reason why one cannot run on this machine or device.

A reason is the end of a sentence. No backend is imported to find it.
"""

import os
from functools import cache
from importlib.util import find_spec

import torch

# Triton supports 8.0; these kernels also compile for 7.5, which many rented machines have.
OLDEST_CAPABILITY = (7, 5)
TRITON_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
TCNN_DTYPES = (torch.float16, torch.float32)


def unsupported_reason(backend: str, device: torch.device, dtype: torch.dtype) -> str | None:
    """Return why a backend cannot read a table of this dtype on this device; None if it can."""
    if backend == "cpu" and (device.type != "cpu" or dtype not in (torch.float32, torch.float64)):
        return f"it works on float32 or float64 in CPU memory, the table is {dtype} on {device}"
    if backend == "triton":
        return _no_triton_reason(device) or _dtype_reason(dtype, TRITON_DTYPES)
    if backend == "tcnn":
        return _no_tcnn_reason(device) or _dtype_reason(dtype, TCNN_DTYPES)
    return None


def unavailable_reason(backend: str) -> str | None:
    """Return why a backend cannot run on this machine at all; None if it can."""
    if backend in ("triton", "tcnn"):
        seen = torch.cuda.is_available()
        device = torch.device("cuda", torch.cuda.current_device()) if seen else torch.device("cpu")
        return unsupported_reason(backend, device, torch.float32)
    return None


def interpreted() -> bool:
    """Return True where Triton's kernels run as Python on the CPU: slow, for tests."""
    return os.environ.get("TRITON_INTERPRET", "0").lower() in ("1", "true", "on", "yes")


def _no_triton_reason(device: torch.device) -> str | None:
    if not _installed("triton"):
        return "triton is not installed (pip install triton)"
    if interpreted():
        return None
    if (reason := _no_cuda_reason(device)) is not None:
        return f"{reason} (TRITON_INTERPRET=1 runs it without, for tests)"
    if (found := _capability(device)) < OLDEST_CAPABILITY:
        oldest = _dotted(OLDEST_CAPABILITY)
        return f"it needs compute capability {oldest}, {device} has {_dotted(found)}"
    return None


def _no_tcnn_reason(device: torch.device) -> str | None:
    if not _installed("tinycudann"):
        return (
            "tinycudann is not installed (it is built on your machine, with nvcc: pip install "
            "git+https://github.com/NVlabs/tiny-cuda-nn/#subdirectory=bindings/torch), and nothing "
            "is lost without it: the other backends compute the same"
        )
    return _no_cuda_reason(device)


def _no_cuda_reason(device: torch.device) -> str | None:
    if not torch.cuda.is_available():
        return "it needs a CUDA device and there is none here"
    if device.type != "cuda":
        return f"it needs a CUDA device, the table is on {device}"
    return None


def _dtype_reason(dtype: torch.dtype, known: tuple[torch.dtype, ...]) -> str | None:
    if dtype in known:
        return None
    names = ", ".join(str(each).removeprefix("torch.") for each in known)
    return f"it reads tables of {names}, this one is {dtype}"


def _dotted(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))


@cache
def _capability(device: torch.device) -> tuple[int, int]:
    return torch.cuda.get_device_capability(device)


@cache
def _installed(package: str) -> bool:
    return find_spec(package) is not None
