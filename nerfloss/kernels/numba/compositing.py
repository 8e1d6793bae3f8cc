"""Opacity and compositing on the CPU: tensors in and out, by the loops of `cpu_rays`."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nerfloss.kernels.numba import compositing_loops as cpu_rays
from nerfloss.kernels.numba.array_arguments import as_arrays

# What NeuS's opacity is made of: sdf, gradients, directions, t_starts, t_ends.
Given = Sequence[Tensor]


def held(*given: Tensor) -> list[Tensor]:
    """What both passes are given, as the loops take it: put in order once, for both."""
    return [each.contiguous() for each in given]


def neus_alphas(given: Given, sharpness: Tensor, late: float) -> Tensor:
    """NeuS's opacity; ``late`` is the share of the annealing that is done."""
    out = _rows(given[0])
    settings = np.float32(sharpness.item()), np.float32(late)
    cpu_rays.alphas(*as_arrays(*given), *settings, out.numpy())
    return out


def neus_alphas_backward(
    given: Given, sharpness: Tensor, late: float, to_alphas: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Derivatives by sdf, gradients and sharpness."""
    to_sdf, to_gradients = _rows(given[0]), _rows(given[1])
    settings = np.float32(sharpness.item()), np.float32(late)
    to_sharpness = cpu_rays.alphas_backward(
        *as_arrays(*given), *settings, *as_arrays(to_alphas, to_sdf, to_gradients)
    )
    return to_sdf, to_gradients, sharpness.new_tensor(to_sharpness)


def weights(alphas: Tensor) -> Tensor:
    """Share of light that each sample stops."""
    out = _rows(alphas)
    cpu_rays.weights(*as_arrays(alphas, out))
    return out


def weights_backward(alphas: Tensor, to_weights: Tensor) -> Tensor:
    """Derivative by the opacities."""
    out = _rows(alphas)
    cpu_rays.weights_backward(*as_arrays(alphas, to_weights, out))
    return out


def composited(weights: Tensor, values: Tensor) -> Tensor:
    """Each ray's sum of values by weight."""
    out = weights.new_empty(len(weights), values.shape[2])
    cpu_rays.sums(*as_arrays(weights, values, out))
    return out


def composited_backward(weights: Tensor, values: Tensor, to_sums: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives by weights and by values."""
    to_weights, to_values = _rows(weights), _rows(values)
    cpu_rays.sums_backward(*as_arrays(weights, values, to_sums, to_weights, to_values))
    return to_weights, to_values


def _rows(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)
