"""Non-finite losses and gradients: find the term, the quantity and the rays at fault.

In order, for one step:

1. A term leaves out what its ``where`` gives 0, whatever it holds (`nerfloss.recipe.selection`).
2. `LossRecipe` checks the total before any backward pass and raises `NonFiniteLoss`, whose `Fault`
   comes from `explain_value`: the first term whose value is not finite, and the quantity that
   made it so.
3. The trainer checks the gradient after the backward pass, before the optimizer updates anything
   (`nerfloss.training.optimizer`). `explain_gradient` repeats the terms one by one on detached
   quantities and names the first whose own gradient is not finite.
4. The trainer stores the step in ``failure.pt`` (`nerfloss.training.failure_snapshot`) and stops.
   On a GPU it learns of 2. and 3. one step later (`nerfloss.training.callbacks.nonfinite_check`).
5. ``nerfloss replay`` repeats the stored step (`nerfloss.diagnostics.replay`).
"""

from nerfloss.recipe.nonfinite.explanation import (
    NonFiniteLoss,
    explain_gradient,
    explain_value,
    gradients_to_quantities,
    quantities_taken,
)
from nerfloss.recipe.nonfinite.location import Fault, affected_rays, describe_non_finite

__all__ = [
    "Fault",
    "NonFiniteLoss",
    "affected_rays",
    "describe_non_finite",
    "explain_gradient",
    "explain_value",
    "gradients_to_quantities",
    "quantities_taken",
]
