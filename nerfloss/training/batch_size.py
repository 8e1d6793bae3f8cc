"""The pace of a run: rays and samples in a step, steps between checkpoints and previews."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class BatchSize:
    """How much a step does, and how often what is around the steps is done.

    The number of rays adapts so that a step evaluates about ``samples`` samples. Of several
    processes each does that much.
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

    def times(self, processes: int) -> "Pace":
        """The pace of a run in which each of several processes does this much in a step."""
        more = {name: getattr(self, name) * processes for name in ("samples", "rays", "max_rays")}
        return replace(self, **more)

    def rays_again(self, rays: int, samples: int) -> int:
        """Rays to go on with after ``rays`` for about ``samples`` samples, where less is allowed.

        At once: memory may be what they were too many for. More comes step by step, as ever.
        """
        return max(1, min(rays * min(self.samples, samples) // samples, self.max_rays))
