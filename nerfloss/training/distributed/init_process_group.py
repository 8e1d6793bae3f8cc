"""Initialise torch.distributed through Lightning Fabric, for processes started by torchrun."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch

from nerfloss.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from nerfloss.training.distributed.torchrun_env import world_size

# A process that does not answer for longer is given up. An evaluation keeps others waiting for
# minutes.
TIMEOUT = timedelta(minutes=30)


@contextmanager
def init_process_group(device: str) -> Iterator[ProcessGroup]:
    """Yield the process group of this run; without torchrun it has a single process.

    ``device`` is the configured one: auto, cpu or cuda, of which each process takes one. Raises
    ImportError without lightning-fabric, ValueError for devices that do not exist.
    """
    if world_size() == 1:
        yield SINGLE_PROCESS
        return
    # Imported here: a single process does not need them.
    import torch.distributed as dist

    from nerfloss.training.distributed.collectives import Collectives
    from nerfloss.training.distributed.ddp import DistributedProcesses

    fabric = _launch(_accelerator(device))
    host = dist.new_group(backend="gloo", timeout=TIMEOUT) if fabric.device.type != "cpu" else None
    collectives = Collectives(fabric.global_rank, fabric.world_size, fabric.device, host)
    try:
        yield DistributedProcesses(collectives)
    finally:
        dist.destroy_process_group()


def _launch(accelerator: str) -> Any:
    """Return a Fabric whose processes are connected."""
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
    except ImportError as error:
        raise ImportError(
            f"torchrun started {world_size()} processes, which need lightning-fabric, and that is "
            f"not installed: pip install 'nerfloss[distributed]'"
        ) from error
    local_size = int(os.environ["LOCAL_WORLD_SIZE"])
    fabric = Fabric(
        accelerator=accelerator,
        devices=local_size,
        num_nodes=world_size() // local_size,
        strategy=DDPStrategy(timeout=TIMEOUT),
    )
    fabric.launch()
    return fabric


def _accelerator(device: str) -> str:
    """Return the kind of device of which every process takes one."""
    local_size = int(os.environ["LOCAL_WORLD_SIZE"])
    kind = device
    if device == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind not in ("cpu", "cuda"):
        raise ValueError(
            f"device={device}: each of several processes takes a device of its own; "
            f"use device=auto, cuda or cpu"
        )
    if kind == "cuda" and torch.cuda.device_count() < local_size:
        raise ValueError(
            f"torchrun started {local_size} processes on this machine, and torch finds "
            f"{torch.cuda.device_count()} GPUs: start as many, or use device=cpu"
        )
    return kind
