"""Work on many rows a chunk at a time; where memory runs out, in smaller chunks."""

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from nerfloss.memory import OutOfMemory, ran_out

log = logging.getLogger(__name__)
Result = TypeVar("Result")

# Fewer rows than this do not help: what fills the memory is something else.
FEWEST = 256


class ChunkSize:
    """How many ``rows`` are worked on at once, as a ``setting`` says.

    Halved where memory runs out, down to 256, and for all that is worked on afterwards. Raises
    OutOfMemory, which names the setting, where that does not help.
    """

    def __init__(self, rows: int, setting: str) -> None:
        if rows < 1:
            raise ValueError(f"{setting} must be at least 1, got {rows}")
        self.rows, self.setting, self._asked = rows, setting, rows

    def results(self, work: Callable[[slice], Result], count: int) -> Iterator[Result]:
        """What ``work`` makes of rows 0 to ``count``, in order, one chunk after the other."""
        begin = 0
        while begin < count:
            some = slice(begin, min(begin + self.rows, count))
            try:
                made = work(some)
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                trouble = str(error)
            else:
                yield made
                begin = some.stop
                continue
            # Only now: while the error lives, so do the tensors of where it came from.
            self._halve(some.stop - begin, trouble)

    def __call__(self, work: Callable[[slice], None], count: int) -> None:
        """Let ``work``, which returns nothing, do rows 0 to ``count``."""
        for _ in self.results(work, count):
            pass

    def _halve(self, rows: int, trouble: str) -> None:
        """Take half as many as the ``rows`` that were too many."""
        said = (trouble.strip().splitlines() or ["no more is said"])[0]
        if rows <= FEWEST:
            raise OutOfMemory(
                f"out of memory even with {self.setting}={rows} (asked for {self._asked}): {said} "
                f"Evaluate where there is more memory, or with device=cpu"
            )
        self.rows = max(rows // 2, FEWEST)
        torch.cuda.empty_cache()
        log.warning("out of memory with %s=%d: going on with %d", self.setting, rows, self.rows)
