"""Batch size: how many rays and samples a training step processes."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class BatchSize:
    """Size of a training step, in samples.

    The number of rays is adapted so that a step evaluates about ``samples`` samples. It starts at
    ``rays`` and never exceeds ``max_rays``. With several processes this is the size of each
    process's share.
    """

    samples: int = 8192
    rays: int = 512
    max_rays: int = 8192

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"trainer.batch_size.{name} must be at least 1, got {value}")

    def times(self, processes: int) -> "BatchSize":
        """Return the size of the whole batch of ``processes`` processes."""
        return replace(
            self,
            samples=self.samples * processes,
            rays=self.rays * processes,
            max_rays=self.max_rays * processes,
        )

    def rescaled_rays(self, rays: int, samples: int) -> int:
        """Return the number of rays to resume with, where ``rays`` was adapted to ``samples``.

        A smaller budget of samples takes effect at once, since memory may have run out. A larger
        one is approached step by step.
        """
        return max(1, min(rays * min(self.samples, samples) // samples, self.max_rays))
