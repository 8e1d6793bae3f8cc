"""Shard of a batch: contiguous rays, in whole patches, and their targets."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch import Tensor

from nerfloss.geometry import Rays
from nerfloss.quantities.vocabulary import VOCABULARY


@dataclass(frozen=True)
class Shard:
    """One process's rays of a step and their targets.

    The targets include ``shard_sizes``, the number of rays of every process.
    """

    rays: Rays
    targets: Mapping[str, Any]

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.targets["shard_sizes"]


def shard_sizes(count: int, processes: int, unit: int = 1) -> tuple[int, ...]:
    """Return how many of ``count`` rays each process gets: whole units, as even as possible."""
    bounds = [count // unit * rank // processes * unit for rank in range(processes + 1)]
    return tuple(end - begin for begin, end in pairwise(bounds))


def shard_of(batch: Any, rank: int, processes: int) -> Shard:
    """Return the shard of a process.

    Raises ValueError where there are fewer rays, or patches, than processes.
    """
    height, width = batch.targets.get("patch_shape", (1, 1))
    count = len(batch.rays)
    sizes = shard_sizes(count, processes, height * width)
    if min(sizes) == 0:
        unit = "rays" if height * width == 1 else f"patches of {height} x {width} pixels"
        raise ValueError(
            f"{processes} processes have no more than {count // (height * width)} {unit} to share "
            f"in a step: raise trainer.batch_size.samples and trainer.batch_size.rays, or start "
            f"fewer processes"
        )
    begin = sum(sizes[:rank])
    own = slice(begin, begin + sizes[rank])
    targets = {
        name: value[own] if is_per_ray(name, value, count) else value
        for name, value in batch.targets.items()
    }
    return Shard(batch.rays[own], {**targets, "shard_sizes": sizes})


def is_per_ray(name: str, value: Any, count: int) -> bool:
    """Return True for a value with one row per ray, of ``count`` rays.

    A name that is not in the vocabulary is judged by its length.
    """
    if not isinstance(value, Tensor) or value.ndim == 0:
        return False
    if name in VOCABULARY:
        return VOCABULARY[name].shape.startswith("rays")
    return len(value) == count
