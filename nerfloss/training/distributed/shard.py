"""A process's part of a batch: rays next to each other, whole patches, and what belongs to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch import Tensor

from nerfloss.geometry import Rays
from nerfloss.quantities.vocabulary import VOCABULARY


@dataclass(frozen=True)
class Part:
    """Some rays of a step and their targets; ``counts`` says how many each process has."""

    rays: Rays
    targets: Mapping[str, Any]
    counts: tuple[int, ...]


def parts_of(count: int, processes: int, unit: int = 1) -> tuple[int, ...]:
    """How many of ``count`` rays each process gets: whole units, as even as can be."""
    bounds = [count // unit * rank // processes * unit for rank in range(processes + 1)]
    return tuple(end - begin for begin, end in pairwise(bounds))


def part_of(batch: Any, rank: int, processes: int) -> Part:
    """The part of a process.

    Raises ValueError where there are fewer rays, or patches, than processes.
    """
    height, width = batch.targets.get("patch_shape", (1, 1))
    count = len(batch.rays)
    counts = parts_of(count, processes, height * width)
    if min(counts) == 0:
        what = "rays" if height * width == 1 else f"patches of {height} x {width} pixels"
        raise ValueError(
            f"{processes} processes have no more than {count // (height * width)} {what} to share "
            f"in a step: raise trainer.batch_size.samples and trainer.batch_size.rays, or start "
            f"fewer processes"
        )
    begin = sum(counts[:rank])
    some = slice(begin, begin + counts[rank])
    targets = {
        name: value[some] if per_ray(name, value, count) else value
        for name, value in batch.targets.items()
    }
    return Part(batch.rays[some], targets, counts)


def per_ray(name: str, value: Any, count: int) -> bool:
    """Whether a value is one per ray; a name that the vocabulary lacks is judged by its length."""
    if not isinstance(value, Tensor) or value.ndim == 0:
        return False
    if name in VOCABULARY:
        return VOCABULARY[name].shape.startswith("rays")
    return len(value) == count
