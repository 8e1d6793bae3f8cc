"""Record of one training step, passed to the callbacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from nerfloss.training.clock import Schedule
from nerfloss.training.prefetch import PreparedStep
from nerfloss.training.protocols import LossReport


@dataclass
class Step:
    """Inputs and results of a training step; the trainer fills it in as the step proceeds.

    ``index`` is the number of steps completed before it. ``skip_update`` may be set by a callback
    after the forward pass: a tensor that is 1 where the parameters must not be updated.
    ``found_inf`` is 1 where the update was skipped, because the gradient was not finite or because
    of ``skip_update``; None where there was no gradient.
    """

    index: int
    schedule: Schedule
    inputs: PreparedStep
    quantities: Mapping[str, Any]
    report: LossReport
    skip_update: Float[Tensor, ""] | None = None
    found_inf: Float[Tensor, ""] | None = None
