"""Time on a GPU: medians of CUDA events after warm-up, of launches or of a graph's replays."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

WARM_UP = 5


def stopwatch(device: torch.device, rounds: int) -> Callable[..., float]:
    """A function that takes turns among calls of equal cost, and returns the median seconds.

    With ``graphed``, calls are recorded first and then replayed: the time that Python takes to
    launch kernels is left out.
    """

    def once(call: Callable[[], Any]) -> float:
        if device.type != "cuda":
            begin = time.perf_counter()
            call()
            return time.perf_counter() - begin
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        call()
        last.record()
        last.synchronize()
        return first.elapsed_time(last) / 1e3

    def timed(calls: list[Callable[[], Any]], *, graphed: bool = False) -> float:
        if graphed and device.type == "cuda":
            calls = [recorded(call) for call in calls]
        warm_up = WARM_UP if rounds > 1 else 0
        taken = [once(calls[turn % len(calls)]) for turn in range(warm_up + rounds)]
        return median(taken[warm_up:])

    return timed


def recorded(call: Callable[[], Any]) -> Callable[[], Any]:
    """What replays the kernels that a call launches."""
    call()  # compiles, and makes what is kept for the next time
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        written = call()

    def replay() -> Any:
        graph.replay()
        return written  # held, so that its memory stays its own

    return replay
