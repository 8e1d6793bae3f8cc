"""What a step begins with, rays and samples, made beside the step before it."""

from concurrent.futures import Future
from dataclasses import dataclass

import torch

from nerfloss.geometry import Samples
from nerfloss.kernels.async_host_copy import AsyncScalar
from nerfloss.kernels.threads import submit
from nerfloss.training.distributed.process_group import ProcessGroup
from nerfloss.training.protocols import Batch, Batches, Model


@dataclass(frozen=True)
class PreparedStep:
    """A step's batch, where the sampler looks along its rays, and the generator for the rest.

    ``count`` is how many samples have length: asked for here, so that a GPU has it when it is read.
    """

    batch: Batch
    samples: Samples
    generator: torch.Generator
    count: AsyncScalar


class Prefetcher:
    """Makes the beginning of a step; of the next one already, where the sampler allows it.

    A sampler that ``looks_ahead`` sees nothing of the field but its box and its own copy, which is
    renewed from the field as it is before a step's update. So what the next step needs can be made
    beside this one, on another thread, and is the same without one. Of several processes each
    samples its share of the rays that all draw.
    """

    def __init__(
        self, model: Model, batches: Batches, device: torch.device, seed: int, team: ProcessGroup
    ) -> None:
        self.model, self.batches, self.team = model, batches, team
        self.device, self.seed = device, seed
        # The sampler is ready for all steps before this one.
        self.renewed = 0
        self._next: Future[PreparedStep] | None = None
        self._drawn: Future[Batch] | None = None

    def take(self, step: int, rays: int) -> PreparedStep:
        """The beginning of a step: as begun before, or made now."""
        found, self._next = self._next, None
        if found is not None:
            return found.result()
        self._renew(step)
        return self._make(step, rays)

    def begin(self, step: int, rays: int) -> None:
        """Let the beginning of a step be made, if it can be made before the step.

        Pixels that have a way to go to the device set out at least, whatever the sampler.
        """
        ahead = getattr(self.model.sampler, "looks_ahead", False)
        if ahead:
            # Now and then much work, which is shared out; the rest is for one thread.
            self._renew(step)
        if getattr(self.batches, "streams", False):
            self._drawn = submit(lambda: self.batches.draw(step, rays))
        elif ahead:
            # A GPU works through one queue: a thread would gain nothing there.
            now = self.device.type != "cpu"
            self._next = submit(lambda: self._make(step, rays), inline=now)

    def forget(self, renewed: int) -> None:
        """Drop what was begun; the sampler is ready for steps before ``renewed``."""
        if self._next is not None:
            self._next.result()
        self._next, self._drawn, self.renewed = None, None, renewed

    def _renew(self, step: int) -> None:
        """Renew the sampler for a step, once: with numbers of its own, so that a resumed run, which
        need not renew again, draws the same.
        """
        if self.renewed <= step:
            self.model.sampler.refresh(self.model.field, step, self._generator(2 * step + 1))
            self.renewed = step + 1

    def _make(self, step: int, rays: int) -> PreparedStep:
        drawn, self._drawn = self._drawn, None
        batch = self.batches.draw(step, rays) if drawn is None else drawn.result()
        batch, generator = self.team.share(batch, self._generator(2 * step))
        samples = self.model.sampler(self.model.field, batch.rays, generator)
        return PreparedStep(batch, samples, generator, AsyncScalar(samples.occupied.sum()))

    def _generator(self, number: int) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(self.seed * 1_000_003 + number)
