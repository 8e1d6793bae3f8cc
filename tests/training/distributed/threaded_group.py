"""Threads in the place of processes: an in-memory implementation of `CollectiveProtocol`."""

import copy
import threading
from collections.abc import Callable
from typing import Any

import torch

from nerfloss.training.distributed.ddp import DistributedProcesses


class SharedMemory:
    """Memory shared by the threads: one slot per rank, exchanged at a barrier."""

    def __init__(self, size: int) -> None:
        self.slots: list[Any] = [None] * size
        self.barrier = threading.Barrier(size, timeout=120)

    def exchange(self, rank: int, own: Any) -> list[Any]:
        self.slots[rank] = own
        self.barrier.wait()
        found = list(self.slots)
        self.barrier.wait()
        return found


class ThreadCollectives:
    """Collective operations between threads."""

    def __init__(self, rank: int, memory: SharedMemory) -> None:
        self.rank, self.size, self.device = rank, len(memory.slots), torch.device("cpu")
        self._memory = memory

    def all_gather_rows(self, own, counts):
        found = self._memory.exchange(self.rank, own.detach())
        assert tuple(len(each) for each in found) == tuple(counts)
        return torch.cat(found)

    def all_reduce_mean(self, values):
        found = self._memory.exchange(self.rank, values.clone())
        return values.copy_(sum(found) / self.size)

    def broadcast_tensor(self, values):
        return values.copy_(self._memory.exchange(self.rank, values.clone())[0])

    def all_gather_numbers(self, *own):
        return self._memory.exchange(self.rank, [float(each) for each in own])

    def all_gather_objects(self, own):
        return self._memory.exchange(self.rank, own)

    def broadcast_object(self, value):
        return copy.deepcopy(self._memory.exchange(self.rank, value)[0])


def in_processes(size: int, work: Callable[[DistributedProcesses], Any]) -> list[Any]:
    """Return what ``work`` returns in each process, or the error that it raises."""
    memory, results = SharedMemory(size), [None] * size

    def one(rank: int) -> None:
        try:
            results[rank] = work(DistributedProcesses(ThreadCollectives(rank, memory)))
        except Exception as error:  # handed to the test, which is in another thread
            results[rank] = error

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
