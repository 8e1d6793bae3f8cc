"""The pace of a run: rays and samples in a step, steps between checkpoints and previews."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How much a step does, and how often what is around the steps is done.

    The number of rays adapts so that a step evaluates about ``samples`` samples.
    """

    samples: int = 8192
    rays: int = 512
    max_rays: int = 8192
    checkpoint_every: int = 500
    preview_every: int = 500

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"trainer.pace.{name} must be at least 1, got {value}")
