"""Parameters of a small network as arguments of compiled loops, and the sums of their gradients."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from nerfloss.kernels.numba.mlp_block_ops import CHUNK
from nerfloss.kernels.threads import run_tasks

# Weights, then biases (as columns), layer by layer.
Parameters = tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]


def arrays(parameters: Sequence[Tensor]) -> Parameters:
    """Return the weights and the biases as two tuples of matrices."""
    matrices = [
        np.ascontiguousarray(each.detach().numpy()).reshape(len(each), -1) for each in parameters
    ]
    return tuple(matrices[::2]), tuple(matrices[1::2])


def summed_over_chunks(
    count: int, parameters: Sequence[Tensor], loop: Callable[[int, int, Parameters], None]
) -> list[Tensor]:
    """Return the gradients of the parameters, which ``loop(begin, end, sums)`` sums over chunks.

    Every chunk has its own sums, which are added in order at the end.
    """
    chunks = -(-count // CHUNK)
    # numpy arrays: creating views of torch tensors takes as long as a small loop
    sums = [
        np.zeros((chunks, len(each), each.numel() // len(each)), np.float32) for each in parameters
    ]

    def chunk(number: int) -> None:
        begin, own = number * CHUNK, [each[number] for each in sums]
        loop(begin, min(begin + CHUNK, count), (tuple(own[::2]), tuple(own[1::2])))

    run_tasks(lambda number=number: chunk(number) for number in range(chunks))
    return [
        torch.from_numpy(total.sum(0)).view(each.shape)
        for total, each in zip(sums, parameters, strict=True)
    ]
