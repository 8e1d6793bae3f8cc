"""Tensors as arguments of compiled loops."""

import numpy as np
import torch
from torch import Tensor


def is_cpu_float32(*tensors: Tensor) -> bool:
    """Return True for float32 in CPU memory, which compiled loops are written for."""
    return all(each.device.type == "cpu" and each.dtype == torch.float32 for each in tensors)


def as_arrays(*tensors: Tensor) -> list[np.ndarray]:
    """Return the tensors as arrays: their own memory where it is contiguous, else a copy."""
    # Parameters alone are detached: 200 arguments per step are not, inside of autograd functions.
    plain = [each.detach() if each.requires_grad else each for each in tensors]
    return [each.contiguous().numpy() for each in plain]
