"""Memory: whether an error says that it ran out, and how much of it is free."""

import os
from pathlib import Path

import torch

# What torch and the vendors' libraries say where no class of error of its own says it.
_SAYINGS = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")


class OutOfMemory(MemoryError):
    """There was too little memory, and the message says which setting to lower."""


def ran_out(error: BaseException) -> bool:
    """Whether an error means that there was too little memory, and nobody has said what to do."""
    if isinstance(error, OutOfMemory):
        return False
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _SAYINGS)


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a device, those that torch keeps for itself included.

    On a CPU what the system can give without swapping, and what a container's limit leaves of it.
    None where nobody says.
    """
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    known = [bytes_ for bytes_ in (_available(), _left_to_container()) if bytes_ is not None]
    return min(known) if known else None


def _available() -> int | None:
    """What Linux says is available; elsewhere the pages that nobody has."""
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
    """What a limit on this group of processes leaves; None where there is none."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            return max(int((folder / limit).read_text()) - int((folder / used).read_text()), 0)
        except (OSError, ValueError):  # no such file, or the word max
            continue
    return None
