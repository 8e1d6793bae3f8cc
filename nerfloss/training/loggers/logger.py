"""What a sink is, and a list of them that acts as one."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from nerfloss.training.loggers.best_effort import BestEffortWriter


@runtime_checkable
class Logger(Protocol):
    """A place for the scalars and images of a run.

    The trainer asks ``due(step)`` first and makes the scalars only then, so that a step in between
    waits for no device and formats nothing.
    """

    def due(self, step: int) -> bool:
        """Whether the scalars of ``step`` are wanted here."""
        ...

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Record ``scalars``, whether or not they were due: results of an evaluation never are."""
        ...

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Record an image: height width 3, either uint8 or floats in [0, 1]; or do nothing."""
        ...

    def close(self) -> None:
        """Finish what is pending; safe to call twice."""
        ...


class Loggers:
    """Several sinks behind the face of one. Closes all of them at the end of a ``with`` block.

    One that cannot write, since a disk is full, is no end of the run, but one warning.
    """

    def __init__(self, sinks: Sequence[Logger] = ()) -> None:
        self.sinks = tuple(sinks)
        self._forgiving = [BestEffortWriter(type(sink).__name__) for sink in self.sinks]

    def due(self, step: int) -> bool:
        """Whether any sink wants the scalars of ``step``."""
        return any(sink.due(step) for sink in self.sinks)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Hand the scalars of a training step to the sinks that are due."""
        for sink, forgiving in zip(self.sinks, self._forgiving, strict=True):
            if sink.due(step):
                forgiving(sink.write, step, scalars)

    def write_all(self, step: int, scalars: Mapping[str, float]) -> None:
        """Hand scalars to every sink, due or not: results of an evaluation, the last step."""
        for sink, forgiving in zip(self.sinks, self._forgiving, strict=True):
            forgiving(sink.write, step, scalars)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Hand an image to every sink."""
        for sink, forgiving in zip(self.sinks, self._forgiving, strict=True):
            forgiving(sink.image, step, name, image)

    def close(self) -> None:
        """Close every sink, the last one first."""
        for sink, forgiving in reversed([*zip(self.sinks, self._forgiving, strict=True)]):
            forgiving(sink.close)

    def __enter__(self) -> "Sinks":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
