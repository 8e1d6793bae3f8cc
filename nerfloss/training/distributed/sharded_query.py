"""Functions of many points that one process asks, and all processes evaluate a part of."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor

from nerfloss.training.distributed.collective_protocol import CollectiveProtocol
from nerfloss.training.distributed.shard import parts_of

Functions = Mapping[str, Callable[..., Tensor]]


@contextmanager
def asking(functions: Functions, exchange: CollectiveProtocol) -> Iterator[Functions]:
    """In the first process, a block with functions that all evaluate; the others help until then.

    Every argument, and the result, has a row per point.
    """
    if exchange.rank > 0:
        while (asked := exchange.same(None)) is not None:
            name, arguments = asked
            _answers(functions, name, arguments, exchange)
        yield functions
        return
    try:
        yield {name: partial(_ask, functions, exchange, name) for name in functions}
    finally:
        exchange.same(None)


def _ask(
    functions: Functions, exchange: CollectiveProtocol, name: str, *arguments: Tensor
) -> Tensor:
    """Everybody's part of the rows, one after the other.

    Raises what went wrong in any of the processes, as a MemoryError or a RuntimeError: memory may
    have run out, and who asks may ask for less.
    """
    exchange.same((name, tuple(each.cpu() for each in arguments)))
    answers = _answers(functions, name, arguments, exchange)
    troubles = [trouble for _, trouble in answers if trouble is not None]
    if troubles:
        raise troubles[0]
    return torch.cat([part for part, _ in answers if part is not None]).to(exchange.device)


def _answers(
    functions: Functions, name: str, arguments: tuple[Tensor, ...], exchange: CollectiveProtocol
) -> list[tuple[Tensor | None, Exception | None]]:
    """What every process finds for its part of the rows, or why it finds nothing."""
    counts = parts_of(len(arguments[0]), exchange.size)
    begin, own, trouble = sum(counts[: exchange.rank]), None, None
    some = slice(begin, begin + counts[exchange.rank])
    try:
        with torch.no_grad():
            # Of no rows at all everybody finds nothing, in the shape that nothing has.
            if counts[exchange.rank] or not any(counts):
                own = functions[name](*(each[some] for each in arguments)).cpu()
    except (RuntimeError, MemoryError) as error:
        # Without the tensors of where it came from, which the error itself would keep alive.
        kind = MemoryError if isinstance(error, MemoryError) else RuntimeError
        trouble = kind(f"{type(error).__name__}: {error}")
    return exchange.objects((own, trouble))
