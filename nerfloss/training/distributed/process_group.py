"""The processes that work on one run, as one of them sees it; mostly it is alone."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, runtime_checkable

from torch import Generator, Tensor, nn

Value = TypeVar("Value")
Rows = tuple[Tensor, list[bool]]


@runtime_checkable
class ProcessGroup(Protocol):
    """What a process has to tell the others and to hear from them; ``rank`` 0 is the first.

    Whatever speaks to the others is called by all of them, in the same order.
    """

    rank: int
    size: int

    @property
    def first(self) -> bool:
        """Whether this is the process that decides, writes and speaks."""
        ...

    def device_for(self, asked: str) -> str:
        """The device that is this process's own, where one of a kind was asked for."""
        ...

    def share(self, batch: Any, generator: Generator) -> tuple[Any, Generator]:
        """This process's part of a step's batch, and a generator that knows it. Tells nobody."""
        ...

    def total(self, rays: int, samples: int, generator: Generator) -> tuple[int, int]:
        """Rays and samples of all. Raises ValueError where generators are not alike."""
        ...

    def whole(self, quantities: Any, needs: Collection[str], batch: Any) -> Mapping[str, Any]:
        """The quantities of all rays of a step, for terms that are to see them all."""
        ...

    def rows(self, values: Mapping[str, Any], batch: Any) -> dict[str, Any]:
        """The same values, those that are one per ray with the rays of all."""
        ...

    def averaged(self, descent: Any, parameters: Sequence[nn.Parameter]) -> Any:
        """A descent that leaves the same gradient in all processes: the mean of theirs."""
        ...

    def mean_rows(self, rows: Tensor, reached: list[bool]) -> Rows:
        """The mean of all processes' gradients, and which parameters any of them reached."""
        ...

    def settle(self, modules: Iterable[nn.Module]) -> None:
        """Give everybody what the first one's modules have trained by themselves."""
        ...

    def agree(self, seconds: float, stop: str | None) -> str | None:
        """Why to stop, if any process was asked to. From now on `seconds` are the first one's."""
        ...

    def seconds(self, own: float) -> float:
        """The time by which all decide; ``own`` is what this process's clock says."""
        ...

    def same(self, value: Value) -> Value:
        """What the first one has for ``value``."""
        ...

    def level(self, trainer: Any) -> None:
        """Put everybody's trainer into the state of the first one's."""
        ...

    def gathered(self, values: Sequence[Value]) -> list[Value]:
        """Values of which each process has every so manyth, in their order."""
        ...

    def helped(self, functions: Mapping[str, Callable]) -> Any:
        """A ``with`` block in which the first one's functions of points are evaluated by all.

        The others do nothing but help until the first one leaves its block.
        """
        ...


class SingleProcess:
    """The team of one process: it has everything, and nobody to tell."""

    rank, size, first = 0, 1, True

    def device_for(self, asked: str) -> str:
        return asked

    def share(self, batch: Any, generator: Generator) -> tuple[Any, Generator]:
        return batch, generator

    def total(self, rays: int, samples: int, generator: Generator) -> tuple[int, int]:  # noqa: ARG002
        return rays, samples

    def whole(self, quantities: Any, needs: Collection[str], batch: Any) -> Any:  # noqa: ARG002
        return quantities

    def rows(self, values: Mapping[str, Any], batch: Any) -> dict[str, Any]:  # noqa: ARG002
        return dict(values)

    def averaged(self, descent: Any, parameters: Sequence[nn.Parameter]) -> Any:  # noqa: ARG002
        return descent

    def mean_rows(self, rows: Tensor, reached: list[bool]) -> Rows:
        return rows, reached

    def settle(self, modules: Iterable[nn.Module]) -> None:
        pass

    def agree(self, seconds: float, stop: str | None) -> str | None:  # noqa: ARG002
        return stop

    def seconds(self, own: float) -> float:
        return own

    def same(self, value: Value) -> Value:
        return value

    def level(self, trainer: Any) -> None:
        pass

    def gathered(self, values: Sequence[Value]) -> list[Value]:
        return list(values)

    @contextmanager
    def helped(self, functions: Mapping[str, Callable]) -> Iterator[Mapping[str, Callable]]:
        yield functions


SINGLE_PROCESS = SingleProcess()
