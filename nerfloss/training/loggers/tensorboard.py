"""TensorBoard event files: curves and images for the browser."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


class TensorBoardLogger:
    """Write scalars and images as TensorBoard events into ``folder``.

    ``start`` is the first step that will be recorded: TensorBoard hides events from it on that a
    killed run left. The writer is created at the first event, because importing it takes a second.
    The first failed write raises OSError; later events are dropped, because TensorBoard's writer
    does not recover.
    """

    def __init__(self, folder: Path | str, *, every: int = 20, start: int = 0) -> None:
        if every < 1:
            raise ValueError(f"TensorBoard needs every >= 1 step, got every={every}")
        self.folder = Path(folder)
        self.every = every
        self.start = start
        self._writer: Any = None
        self._failed = False

    def due(self, step: int) -> bool:
        return step % self.every == 0

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        with self._unless_failed() as events:
            for name, value in scalars.items() if events else ():
                events.add_scalar(name, value, step)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        with self._unless_failed() as events:
            if events:
                events.add_image(name, image, step, dataformats="HWC")

    def close(self) -> None:
        if self._writer is not None and not self._failed:
            with self._unless_failed() as events:
                events.close()
        self._writer = None

    @contextmanager
    def _unless_failed(self) -> Iterator[Any]:
        """Yield the event writer; None after it has failed."""
        try:
            yield None if self._failed else self._events()
        except OSError:
            self._failed = True
            raise

    def _events(self) -> Any:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            purge = self.start if self.start > 0 else None
            self._writer = SummaryWriter(str(self.folder), purge_step=purge, flush_secs=30)
        return self._writer
