"""What a GPU can do at most, measured on the spot: copying, reading and adding at random.

Bytes are counted in sectors of 32, the smallest thing that the cache hands out.
"""

from collections.abc import Callable
from typing import Any

import torch

from nerfloss.kernels.triton.language import cdiv, jit, launch, tl

SECTOR = 32
BLOCK = 128
EACH = 32  # independent accesses per thread


@jit
def visit(table, out, rows, EACH: tl.constexpr, BLOCK: tl.constexpr, ADD: tl.constexpr):
    """Read pairs of numbers from rows at random, or add to them. ``rows`` is a power of two."""
    thread = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    seed = thread.to(tl.uint32) * 747796405 + 2891336453
    lane = tl.arange(0, 2)
    total = tl.zeros((BLOCK, 2), tl.float32)
    for _ in tl.static_range(EACH):
        seed = seed * 1664525 + 1013904223
        # the upper bits: the lower ones of such a sequence hardly change
        row = ((seed >> 8) & (rows - 1)).to(tl.int64)
        at = row[:, None] * 2 + lane[None, :]
        if ADD:
            tl.atomic_add(out + at, total + 1.0, sem="relaxed")
        else:
            total += tl.load(table + at)
    if not ADD:
        tl.store(out + thread[:, None] * 2 + lane[None, :], total)


def ceilings(
    device: torch.device, time: Callable[[list[Callable[[], Any]]], float], *, tiny: bool
) -> dict[str, float]:
    """Bytes per second: ``copy`` in device memory, ``cache`` and ``atomics`` at random in L2."""
    numbers = 2**12 if tiny else 2**29
    pairs = [[torch.rand(numbers, device=device) for _ in range(2)] for _ in range(2)]
    copies = [lambda a=a, b=b: a.copy_(b) for a, b in pairs]
    found = {"copy": 2 * 4 * numbers / time(copies)}
    del pairs, copies
    rows, threads = (2**8, BLOCK) if tiny else (2**20, 2**20)  # 8 MB of table
    table = torch.rand(rows, 2, device=device)
    for name, add in (("cache", False), ("atomics", True)):
        out = torch.zeros(max(rows, threads), 2, device=device)
        grid, fixed = (cdiv(threads, BLOCK),), {"EACH": EACH, "BLOCK": BLOCK, "ADD": add}
        seconds = time([lambda o=out, g=grid, f=fixed: launch(visit, g, table, o, rows, **f)])
        found[name] = SECTOR * EACH * threads / seconds
    return found
