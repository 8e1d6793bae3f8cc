"""Tensors as compiled loops take them: which can be handed over, and as which arrays."""

import numpy as np
import torch
from torch import Tensor


def is_cpu_float32(*tensors: Tensor) -> bool:
    """Whether these are float32 in CPU memory, which compiled loops are written for."""
    return all(each.device.type == "cpu" and each.dtype == torch.float32 for each in tensors)


def as_arrays(*tensors: Tensor) -> list[np.ndarray]:
    """The tensors' own memory where it lies in order, else a copy in order."""
    return [each.detach().contiguous().numpy() for each in tensors]
