"""Evaluate functions of many points on all processes, called by rank 0."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor

from nerfloss.training.distributed.collective_protocol import CollectiveProtocol
from nerfloss.training.distributed.shard import shard_sizes

Functions = Mapping[str, Callable[..., Tensor]]


@contextmanager
def sharded_query(functions: Functions, collectives: CollectiveProtocol) -> Iterator[Functions]:
    """In rank 0, yield functions that all processes evaluate; other ranks serve until it leaves.

    Every argument, and the result, has a row per point.
    """
    if collectives.rank > 0:
        while (call := collectives.broadcast_object(None)) is not None:
            name, arguments = call
            _evaluate_shards(functions, name, arguments, collectives)
        yield functions
        return
    try:
        yield {name: partial(_call, functions, collectives, name) for name in functions}
    finally:
        collectives.broadcast_object(None)


def _call(
    functions: Functions, collectives: CollectiveProtocol, name: str, *arguments: Tensor
) -> Tensor:
    """Evaluate on all processes and concatenate.

    An error in any process is raised here, as a MemoryError or a RuntimeError: where memory ran
    out, the caller may retry with fewer points.
    """
    collectives.broadcast_object((name, tuple(each.cpu() for each in arguments)))
    results = _evaluate_shards(functions, name, arguments, collectives)
    errors = [error for _, error in results if error is not None]
    if errors:
        raise errors[0]
    return torch.cat([rows for rows, _ in results if rows is not None]).to(collectives.device)


def _evaluate_shards(
    functions: Functions, name: str, arguments: tuple[Tensor, ...], collectives: CollectiveProtocol
) -> list[tuple[Tensor | None, Exception | None]]:
    """Return the rows that every process computes of its shard, or its error."""
    sizes = shard_sizes(len(arguments[0]), collectives.size)
    begin, own, raised = sum(sizes[: collectives.rank]), None, None
    shard = slice(begin, begin + sizes[collectives.rank])
    try:
        with torch.no_grad():
            # An empty shard is skipped, unless there are no points at all: the result needs a
            # shape.
            if sizes[collectives.rank] or not any(sizes):
                own = functions[name](*(each[shard] for each in arguments)).cpu()
    except (RuntimeError, MemoryError) as error:
        # A new error, without the traceback whose frames keep tensors alive.
        kind = MemoryError if isinstance(error, MemoryError) else RuntimeError
        raised = kind(f"{type(error).__name__}: {error}")
    return collectives.all_gather_objects((own, raised))
