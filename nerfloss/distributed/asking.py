"""Functions of many points that one process asks, and all processes evaluate a part of."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor

from nerfloss.distributed.exchange import Exchange
from nerfloss.distributed.parts import parts_of

Functions = Mapping[str, Callable[..., Tensor]]


@contextmanager
def asking(functions: Functions, exchange: Exchange) -> Iterator[Functions]:
    """In the first process, a block with functions that all evaluate; the others help until then.

    Every argument, and the result, has a row per point.
    """
    if exchange.rank > 0:
        while (asked := exchange.same(None)) is not None:
            _evaluate(functions, *asked, exchange)
        yield functions
        return
    try:
        yield {name: partial(_ask, functions, exchange, name) for name in functions}
    finally:
        exchange.same(None)


def _ask(functions: Functions, exchange: Exchange, name: str, *arguments: Tensor) -> Tensor:
    exchange.same((name, tuple(each.cpu() for each in arguments)))
    return _evaluate(functions, name, arguments, exchange)


def _evaluate(
    functions: Functions, name: str, arguments: tuple[Tensor, ...], exchange: Exchange
) -> Tensor:
    """Everybody's part of the rows, one after the other.

    Raises what went wrong in any of the processes, as a RuntimeError: memory may have run out, and
    who asks may ask for less.
    """
    counts = parts_of(len(arguments[0]), exchange.size)
    begin, own, trouble = sum(counts[: exchange.rank]), None, None
    some = slice(begin, begin + counts[exchange.rank])
    try:
        with torch.no_grad():
            if some.stop > some.start:
                own = functions[name](*(each[some] for each in arguments)).cpu()
    except (RuntimeError, MemoryError) as error:
        trouble = f"{type(error).__name__}: {error}"
    answers = exchange.objects((own, trouble))
    troubles = [said for _, said in answers if said is not None]
    if troubles and exchange.rank == 0:
        raise RuntimeError(troubles[0])
    return torch.cat([part for part, _ in answers if part is not None]).to(exchange.device)
