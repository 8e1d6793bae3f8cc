"""Interface of a logger, and a collection of loggers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from nerfloss.training.loggers.best_effort import BestEffortWriter


@runtime_checkable
class Logger(Protocol):
    """A destination for the scalars and images of a run.

    Scalars of a training step are computed only if ``due`` returns True for a logger: other steps
    neither synchronise with the device nor format anything.
    """

    def due(self, step: int) -> bool:
        """Return True if this logger records the scalars of ``step``."""
        ...

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Record ``scalars``, due or not: results of an evaluation never are."""
        ...

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Record an image: height width 3, uint8 or floats in [0, 1]. May do nothing."""
        ...

    def close(self) -> None:
        """Finish pending writes; safe to call twice."""
        ...


class Loggers:
    """Several loggers; closed at the end of a ``with`` block.

    A logger that cannot write, e.g. because the disk is full, causes one warning and does not stop
    the run. ``curves``, if given, is the one of them for curves that no other logger records.
    """

    def __init__(self, loggers: Sequence[Logger] = (), *, curves: Logger | None = None) -> None:
        self.loggers, self.curves = tuple(loggers), curves
        self._best_effort = [BestEffortWriter(type(logger).__name__) for logger in self.loggers]

    def due(self, step: int) -> bool:
        """Return True if any logger records the scalars of ``step``."""
        return any(logger.due(step) for logger in self.loggers)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Write the scalars of a training step to the loggers that are due."""
        self._each(lambda logger: logger.write if logger.due(step) else None, step, scalars)

    def write_all(self, step: int, scalars: Mapping[str, float]) -> None:
        """Write scalars to every logger: results of an evaluation, or of the last step."""
        self._each(lambda logger: logger.write, step, scalars)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Write an image to every logger."""
        self._each(lambda logger: logger.image, step, name, image)

    def close(self) -> None:
        """Close every logger, the last one first."""
        for logger, best_effort in reversed([*zip(self.loggers, self._best_effort, strict=True)]):
            best_effort(logger.close)

    def _each(self, method: Callable[[Logger], Callable[..., None] | None], *given: Any) -> None:
        for logger, best_effort in zip(self.loggers, self._best_effort, strict=True):
            call = method(logger)
            if call is not None:
                best_effort(call, *given)

    def __enter__(self) -> "Loggers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
