"""Process many rows in chunks, and in smaller ones where memory runs out."""

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from nerfloss.memory import OutOfMemory, ran_out

log = logging.getLogger(__name__)
Result = TypeVar("Result")

# Chunks smaller than this save no memory: something else fills it.
FEWEST = 256


class ChunkSize:
    """Number of ``rows`` per chunk, as given by a ``setting``.

    Halved where memory runs out, down to 256, and kept for all later calls. Raises OutOfMemory,
    which names the setting, where that does not help.
    """

    def __init__(self, rows: int, setting: str) -> None:
        if rows < 1:
            raise ValueError(f"{setting} must be at least 1, got {rows}")
        self.rows, self.setting, self._initial = rows, setting, rows

    def results(self, work: Callable[[slice], Result], count: int) -> Iterator[Result]:
        """Yield the results of ``work`` on rows 0 to ``count``, in order, chunk by chunk."""
        begin = 0
        while begin < count:
            rows = slice(begin, min(begin + self.rows, count))
            try:
                result = work(rows)
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                message = str(error)
            else:
                yield result
                begin = rows.stop
                continue
            # Outside of the handler: the error's traceback holds the chunk's tensors.
            self._halve(rows.stop - begin, message)

    def __call__(self, work: Callable[[slice], None], count: int) -> None:
        """Run ``work``, which returns nothing, on rows 0 to ``count``."""
        for _ in self.results(work, count):
            pass

    def _halve(self, rows: int, message: str) -> None:
        """Set half of the ``rows`` for which memory did not suffice."""
        first_line = (message.strip().splitlines() or ["no details given"])[0]
        if rows <= FEWEST:
            raise OutOfMemory(
                f"out of memory even with {self.setting}={rows} (asked for {self._initial}): "
                f"{first_line} Evaluate on a machine with more memory, or with device=cpu"
            )
        self.rows = max(rows // 2, FEWEST)
        torch.cuda.empty_cache()
        log.warning("out of memory with %s=%d, continuing with %d", self.setting, rows, self.rows)
