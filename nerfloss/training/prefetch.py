"""Inputs of a training step: its batch and samples, prepared while the previous step runs."""

from concurrent.futures import Future
from dataclasses import dataclass

import torch
from torch import Generator

from nerfloss.geometry import Samples
from nerfloss.kernels.async_host_copy import AsyncScalar
from nerfloss.kernels.threads import submit
from nerfloss.training.protocols import Batch, BatchSource, Model


@dataclass(frozen=True)
class PreparedStep:
    """A batch, the samples along its rays, and the generator for all further random numbers.

    ``count`` is the number of samples of non-zero length, copied to the host asynchronously.
    ``rays`` and ``samples_evaluated`` are totals over all processes.
    """

    batch: Batch
    samples: Samples
    generator: Generator
    count: AsyncScalar

    @property
    def rays(self) -> int:
        return len(self.batch.rays)

    @property
    def samples_evaluated(self) -> int:
        return int(self.count)


class Prefetcher:
    """Prepare the inputs of a step, ahead of time where the sampler allows it.

    A sampler that ``supports_prefetch`` reads only the field's box and its own copy of the field,
    which is refreshed before the update of the step. The next step's inputs can then be prepared on
    another thread while this step runs, with identical results.

    Every step draws from generators seeded by the run's seed and the step's number, so that a
    resumed run draws the same numbers.
    """

    def __init__(
        self, model: Model, batches: BatchSource, *, device: torch.device, seed: int
    ) -> None:
        self.model, self.batches = model, batches
        self.device, self.seed = device, seed
        # The sampler has been refreshed for all steps before this one.
        self.refreshed = 0
        self._next: Future[PreparedStep] | None = None
        self._drawn: Future[Batch] | None = None

    @property
    def min_rays(self) -> int:
        """Return the smallest number of rays to ask for."""
        return 1

    def take(self, step: int, rays: int) -> PreparedStep:
        """Return the inputs of a step, prefetched or prepared now."""
        prefetched, self._next = self._next, None
        if prefetched is not None:
            return prefetched.result()
        self._refresh(step)
        return self._prepare(step, rays)

    def prefetch(self, step: int, rays: int) -> None:
        """Start preparing the inputs of a step.

        Where the sampler does not allow it, only pixels that must be copied to the device are
        drawn ahead.
        """
        ahead = self.model.sampler.supports_prefetch
        if ahead:
            # A refresh is parallel in itself; the remaining work takes one thread.
            self._refresh(step)
        if self.batches.needs_transfer:
            self._drawn = submit(lambda: self.batches.draw(step, rays))
        elif ahead:
            # A GPU has one queue: a second thread would not speed it up.
            inline = self.device.type != "cpu"
            self._next = submit(lambda: self._prepare(step, rays), inline=inline)

    def reset(self, refreshed: int) -> None:
        """Drop prefetched inputs; the sampler is refreshed for all steps before ``refreshed``."""
        if self._next is not None:
            self._next.result()
        self._next, self._drawn, self.refreshed = None, None, refreshed

    def _refresh(self, step: int) -> None:
        """Refresh the sampler for a step, once, with a generator of its own.

        A resumed run, which need not refresh again, then draws the same numbers elsewhere.
        """
        if self.refreshed <= step:
            self.model.refresh(step, self._generator(2 * step + 1))
            self.refreshed = step + 1

    def _prepare(self, step: int, rays: int) -> PreparedStep:
        drawn, self._drawn = self._drawn, None
        batch = self.batches.draw(step, rays) if drawn is None else drawn.result()
        return self._sample(batch, self._generator(2 * step))

    def _sample(self, batch: Batch, generator: Generator) -> PreparedStep:
        rays = self.model.sampling_rays(batch.rays)
        samples = self.model.sampler(self.model.field, rays, generator)
        return PreparedStep(batch, samples, generator, AsyncScalar(samples.occupied.sum()))

    def _generator(self, number: int) -> Generator:
        return Generator(self.device).manual_seed(self.seed * 1_000_003 + number)
