"""Opacity and compositing on the CPU.

Implements `nerfloss.kernels.compositing_kernel.CompositingKernel`.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nerfloss.kernels.numba import compositing_loops
from nerfloss.kernels.numba.array_arguments import as_arrays


def saved_inputs(*inputs: Tensor) -> list[Tensor]:
    return [each.contiguous() for each in inputs]


def neus_alphas(inputs: Sequence[Tensor], sharpness: Tensor, anneal_ratio: float) -> Tensor:
    out = _rows(inputs[0])
    settings = np.float32(sharpness.item()), np.float32(anneal_ratio)
    compositing_loops.alphas(*as_arrays(*inputs), *settings, out.numpy())
    return out


def neus_alphas_backward(
    inputs: Sequence[Tensor], sharpness: Tensor, anneal_ratio: float, grad_alphas: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    grad_sdf, grad_gradients = _rows(inputs[0]), _rows(inputs[1])
    settings = np.float32(sharpness.item()), np.float32(anneal_ratio)
    grad_sharpness = compositing_loops.alphas_backward(
        *as_arrays(*inputs), *settings, *as_arrays(grad_alphas, grad_sdf, grad_gradients)
    )
    return grad_sdf, grad_gradients, sharpness.new_tensor(grad_sharpness)


def weights(alphas: Tensor) -> Tensor:
    out = _rows(alphas)
    compositing_loops.weights(*as_arrays(alphas, out))
    return out


def weights_backward(alphas: Tensor, grad_weights: Tensor) -> Tensor:
    out = _rows(alphas)
    compositing_loops.weights_backward(*as_arrays(alphas, grad_weights, out))
    return out


def composited(weights: Tensor, values: Tensor) -> Tensor:
    out = weights.new_empty(len(weights), values.shape[2])
    compositing_loops.sums(*as_arrays(weights, values, out))
    return out


def composited_backward(
    weights: Tensor, values: Tensor, grad_sums: Tensor
) -> tuple[Tensor, Tensor]:
    grad_weights, grad_values = _rows(weights), _rows(values)
    compositing_loops.sums_backward(
        *as_arrays(weights, values, grad_sums, grad_weights, grad_values)
    )
    return grad_weights, grad_values


def _rows(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)
