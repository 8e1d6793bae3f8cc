"""How the processes that torchrun began find each other: through Lightning Fabric."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch

from nerfloss.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from nerfloss.training.distributed.torchrun_env import processes

# A process that is silent for longer is given up. An evaluation lets the others wait for minutes.
PATIENCE = timedelta(minutes=30)


@contextmanager
def meeting(device: str) -> Iterator[ProcessGroup]:
    """The team of this process; one process, without torchrun, is alone.

    ``device`` is what was asked for: auto, cpu or cuda, of which each process takes one. Raises
    ImportError without lightning-fabric, ValueError for devices that are not there.
    """
    if processes() == 1:
        yield SINGLE_PROCESS
        return
    # Here, so that one process need not load what several need.
    import torch.distributed as dist

    from nerfloss.training.distributed.collectives import Collectives
    from nerfloss.training.distributed.ddp import DistributedProcesses

    fabric = _launched(_accelerator(device))
    host = dist.new_group(backend="gloo", timeout=PATIENCE) if fabric.device.type != "cpu" else None
    exchange = Collectives(fabric.global_rank, fabric.world_size, fabric.device, host)
    try:
        yield DistributedProcesses(exchange)
    finally:
        dist.destroy_process_group()


def _launched(accelerator: str) -> Any:
    """A Fabric whose processes have met."""
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
    except ImportError as error:
        raise ImportError(
            f"torchrun began {processes()} processes, which work together through "
            f"lightning-fabric, and that is not installed: pip install 'nerfloss[distributed]'"
        ) from error
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    fabric = Fabric(
        accelerator=accelerator,
        devices=here,
        num_nodes=processes() // here,
        strategy=DDPStrategy(timeout=PATIENCE),
    )
    fabric.launch()
    return fabric


def _accelerator(device: str) -> str:
    """Which kind of device every process takes one of."""
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    kind = device
    if device == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind not in ("cpu", "cuda"):
        raise ValueError(
            f"device={device}: of several processes each takes a device of its own; "
            f"use device=auto, cuda or cpu"
        )
    if kind == "cuda" and torch.cuda.device_count() < here:
        raise ValueError(
            f"torchrun began {here} processes on this machine, and torch finds "
            f"{torch.cuda.device_count()} GPUs: begin as many, or use device=cpu"
        )
    return kind
