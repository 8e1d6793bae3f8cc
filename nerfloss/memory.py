"""Out-of-memory errors, and the free memory of a device."""

import os
from pathlib import Path

import torch

# Messages of torch and vendor libraries that raise a plain RuntimeError.
_MESSAGES = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")


class OutOfMemory(MemoryError):
    """Out of memory, with a message that names the setting to lower."""


def ran_out(error: BaseException) -> bool:
    """Return True for an out-of-memory error that has no advice yet."""
    if isinstance(error, OutOfMemory):
        return False
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _MESSAGES)


def free_memory(device: torch.device) -> int | None:
    """Return the free memory of a device in bytes, including torch's cached blocks.

    On a CPU: memory available without swapping, at most what the container's limit leaves. None if
    unknown.
    """
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    known = [bytes_ for bytes_ in (_available(), _left_to_container()) if bytes_ is not None]
    return min(known) if known else None


def _available() -> int | None:
    """Return MemAvailable on Linux, the free pages on other systems, None if unknown."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _left_to_container(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return what the control group's memory limit leaves; None without a limit."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            return max(int((folder / limit).read_text()) - int((folder / used).read_text()), 0)
        except (OSError, ValueError):  # no such file, or the word max
            continue
    return None
