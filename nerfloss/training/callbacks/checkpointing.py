"""Save checkpoints during and after training."""

from nerfloss.training import checkpoint
from nerfloss.training.callbacks.callback import Callback, CallbackContext, TrainerState
from nerfloss.training.step import Step


class Checkpointing(Callback):
    """Save ``checkpoints/last.pt`` every ``every`` steps and at the end of training.

    With ``after_first_step`` the first step is saved too: a run of several processes fails as soon
    as one of them does.
    """

    def __init__(self, *, every: int, after_first_step: bool = False) -> None:
        if every < 1:
            raise ValueError(f"trainer.checkpoint_every must be at least 1, got {every}")
        self.every, self.after_first_step = every, after_first_step

    def setup(self, context: CallbackContext) -> None:
        self._path = context.folder / "checkpoints" / "last.pt"

    def after_step(self, trainer: TrainerState, step: Step) -> None:  # noqa: ARG002
        if trainer.step % self.every == 0 or (trainer.step == 1 and self.after_first_step):
            self.save(trainer)

    def after_training(self, trainer: TrainerState, *, interrupted: bool) -> None:  # noqa: ARG002
        self.save(trainer)

    def save(self, trainer: TrainerState) -> None:
        """Write the state of the trainer, from which training can resume."""
        trainer.flush()
        checkpoint.save(self._path, trainer.state_dict())
