"""Non-finite check: stop at the first loss or gradient that is NaN or infinite, and keep the step.

What happens, in order:

1. *Before the forward pass* the states of the random generators and of the balancer are copied,
   since the forward pass changes them.
2. *After the forward pass* the total loss is checked. If it is not finite,
   `nerfloss.recipe.nonfinite` finds the term and the quantity at fault and the run stops, before a
   gradient could spread the value.
3. *In the update* the optimizer checks the gradient. It passes the result to the fused AdamW kernel
   as ``found_inf``: where that is 1, no parameter is changed.
4. *After the update* that result is read. If the gradient is not finite, the gradient of every term
   with respect to its quantities is computed again, to name the term at fault, and the run stops.
5. The failed step is written to ``failure.pt`` (`nerfloss.training.failure_snapshot`), from which
   ``nerfloss replay`` repeats it. The error carries the command as a note.

On a GPU, reading a result waits until the device has finished all queued work. There the check is
*deferred*: the result of a step is copied to the host asynchronously and read after the next step
has been queued. Until it is read, ``skip_update`` keeps later updates from changing a parameter, so
the failed step is saved as it was. The check is not deferred with several processes, which must
stop at the same step, or with a balancer or a term that has state, which the next step would
change.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Never

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.geometry import Rays
from nerfloss.kernels.async_host_copy import AsyncScalar
from nerfloss.training.callbacks.callback import Callback, CallbackContext, TrainerState
from nerfloss.training.callbacks.interventions import Interventions
from nerfloss.training.distributed.process_group import ProcessGroup
from nerfloss.training.failure_snapshot import FILE, Failure
from nerfloss.training.optimizer import NonFiniteGradient
from nerfloss.training.prefetch import PreparedStep
from nerfloss.training.protocols import Fault, Recipe
from nerfloss.training.step import Step

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _StatesBefore:
    """States that the forward pass changes, as they were before it."""

    generator: Tensor
    torch_rng: Tensor
    balancer: Mapping[str, Any]

    @classmethod
    def of(cls, inputs: PreparedStep, recipe: Recipe) -> "_StatesBefore":
        balancer = recipe.balancer.state_dict()
        copied = {
            f"balancer.{name}": value.clone() if isinstance(value, Tensor) else value
            for name, value in balancer.items()
        }
        return cls(inputs.generator.get_state(), torch.get_rng_state(), copied)


class NonFiniteCheck(Callback):
    """Raise NonFiniteLoss or NonFiniteGradient, which name the term at fault.

    ``config`` is the run's configuration as text, and ``interventions`` are the weights that were
    changed since, for ``failure.pt``. With ``deferred`` the error
    of a step is raised one step later.
    """

    def __init__(
        self, *, config: str, interventions: Interventions, deferred: bool = False
    ) -> None:
        self.config, self.interventions, self.deferred = config, interventions, deferred
        self._found_inf: Float[Tensor, ""] | None = None
        self._pending: Callable[[], None] | None = None

    @staticmethod
    def can_defer(device: torch.device, recipe: Recipe, process_group: ProcessGroup) -> bool:
        """Return True where deferring saves time and the failed step can still be saved."""
        return device.type == "cuda" and process_group.size == 1 and recipe.stateless

    def setup(self, context: CallbackContext) -> None:
        self._folder, self._process_group = context.folder, context.process_group

    def before_forward(self, trainer: TrainerState, inputs: PreparedStep) -> None:
        self._before = _StatesBefore.of(inputs, trainer.recipe)

    def after_forward(self, trainer: TrainerState, step: Step) -> None:
        total = step.report.total.detach()
        if self.deferred:
            found_inf = (~total.isfinite()).float()
            previous = self._found_inf
            step.skip_update = found_inf if previous is None else found_inf.maximum(previous)
        elif not total.isfinite():
            self._fail(trainer, step, self._before)

    def after_update(self, trainer: TrainerState, step: Step) -> None:
        if step.found_inf is None:
            return
        self.flush()
        result = AsyncScalar(step.found_inf)
        self._pending = partial(self._read, result, trainer, step, self._before)
        if self.deferred:
            self._found_inf = step.found_inf
        else:
            self.flush()

    def flush(self) -> None:
        """Wait for the result of the last step, and raise its error, if any."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending()

    def after_training(self, trainer: TrainerState, *, interrupted: bool) -> None:  # noqa: ARG002
        self.flush()

    def _read(
        self, result: AsyncScalar, trainer: TrainerState, step: Step, before: _StatesBefore
    ) -> None:
        if float(result):
            self._fail(trainer, step, before)

    def _fail(self, trainer: TrainerState, step: Step, before: _StatesBefore) -> Never:
        """Raise the error of a failed step, with a note that says how to replay it."""
        recipe, scheduled = trainer.recipe, step.schedule.step
        if not step.report.total.isfinite():
            error = recipe.explain_value(step.report, step.quantities, scheduled)
            fault = error.fault
        else:
            fault = recipe.explain_gradient(step.quantities, scheduled)
            message = f"the gradient at step {scheduled} is not finite: {fault}"
            error = NonFiniteGradient(message, fault)
        error.add_note(self._save(_failure(self, trainer, step, before, fault)))
        raise error

    def _save(self, failure: Failure) -> str:
        """Write ``failure.pt``; return how to replay it, or why it could not be written."""
        path = self._folder / FILE
        try:
            if self._process_group.is_main:
                failure.write(path)
        except (OSError, TypeError) as error:
            # The error of the step must not be hidden by one of the disk.
            return f"the failed step could not be saved: {error}"
        log.error("step %d failed: replay it with  nerfloss replay %s", failure.step, path)
        return f"replay it with  nerfloss replay {path}"


def _failure(
    check: NonFiniteCheck, trainer: TrainerState, step: Step, before: _StatesBefore, fault: Fault
) -> Failure:
    """Collect what it takes to repeat a step; rays of all processes are gathered."""
    inputs, recipe = step.inputs, trainer.recipe.state_dict()
    gather = partial(check._process_group.gather_per_ray, batch=inputs.batch)
    samples = inputs.samples
    ends = gather({"t_starts": samples.t_starts, "t_ends": samples.t_ends})
    model = dict(trainer.model.state_dict())
    if not list(trainer.model.sampler.parameters()):
        # It may be refreshed for the next step already. A sampler that learns samples again.
        del model["sampler"]
    others = {name: value for name, value in recipe.items() if not name.startswith("balancer.")}
    return Failure(
        config=check.config,
        step=step.index,
        at=vars(step.schedule),
        seed=inputs.generator.initial_seed(),
        generator=before.generator,
        torch_rng=before.torch_rng,
        model=model,
        recipe={**others, **before.balancer},
        rays=Rays(**gather(vars(inputs.batch.rays))),
        samples={**ends, "more": gather(samples.more)},
        targets=gather(inputs.batch.targets),
        fault=fault.as_dict(),
        interventions=[asdict(each) for each in check.interventions.in_force(step.index)],
    )
