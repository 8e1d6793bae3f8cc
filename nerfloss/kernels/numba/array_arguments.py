"""Tensors as arguments of compiled loops."""

import numpy as np
import torch
from torch import Tensor


def is_cpu_float32(*tensors: Tensor) -> bool:
    """Return True for float32 in CPU memory, which compiled loops are written for."""
    return all(each.device.type == "cpu" and each.dtype == torch.float32 for each in tensors)


def as_arrays(*tensors: Tensor) -> list[np.ndarray]:
    """Return the tensors as arrays: their own memory where it is contiguous, else a copy."""
    return [each.detach().contiguous().numpy() for each in tensors]
