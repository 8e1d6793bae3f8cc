"""Square blocks of the pixels that may be drawn: the resolution of an error map."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.data.pixel_samplers.pixel_runs import PixelRuns, to_device

# Runs of pixels that are counted at once.
CHUNK = 1_000_000
# Attempts of rejection sampling within a block; where all fail, the pixel is drawn from all runs.
TRIES = 4


@dataclass(frozen=True)
class PixelBlocks:
    """The pixels of ``runs`` in square blocks of ``edge`` pixels, ordered (view, row, column).

    ``shape`` is (views, height, width) of the images; ``counts`` is the number of pixels of a block
    that are in the runs.
    """

    runs: PixelRuns
    shape: tuple[int, int, int]
    edge: int
    counts: Float[Tensor, "blocks"]

    @classmethod
    def of(
        cls, runs: PixelRuns, shape: tuple[int, int, int], *, edge: int, most: int
    ) -> "PixelBlocks":
        """Partition the pixels of runs; ``edge`` is doubled until there are ``most`` blocks."""
        views, height, width = shape
        while views * -(-height // edge) * -(-width // edge) > most and edge < max(height, width):
            edge *= 2
        counts = torch.from_numpy(_counts(runs, shape, edge)).float()
        return cls(runs, shape, edge, counts.to(runs.bounds.device))

    def of_pixels(self, flat: Int[Tensor, "pixels"]) -> Int[Tensor, "pixels"]:
        """Return the blocks that hold pixels, given by flat indices over (view, row, column)."""
        _, height, width = self.shape
        rows, columns = -(-height // self.edge), -(-width // self.edge)
        view, row, column = flat // (height * width), flat // width % height, flat % width
        return (view * rows + row // self.edge) * columns + column // self.edge

    def draw(
        self, blocks: Int[Tensor, "pixels"], generator: torch.Generator
    ) -> Int[Tensor, "pixels"]:
        """Draw one pixel of each block uniformly; return flat indices."""
        # All tries at once: a choice of those that are left would synchronise a GPU.
        tries = self._anywhere_in(blocks.expand(TRIES, -1), generator)
        inside = self.runs.contains(tries)
        first = inside.byte().argmax(0)
        anywhere = self.runs.draw(len(blocks), generator)
        return torch.where(inside.any(0), tries.gather(0, first[None])[0], anywhere)

    def _anywhere_in(
        self, blocks: Int[Tensor, "tries pixels"], generator: torch.Generator
    ) -> Int[Tensor, "tries pixels"]:
        """Draw a pixel of each block, -1 where that lies outside of the image."""
        _, height, width = self.shape
        rows, columns = -(-height // self.edge), -(-width // self.edge)
        shift = to_device(torch.rand(2, *blocks.shape, generator=generator), blocks.device)
        down, right = (shift * self.edge).long().clamp_max(self.edge - 1)
        above, column = blocks // columns, blocks % columns * self.edge + right
        view, row = above // rows, above % rows * self.edge + down
        inside = (row < height) & (column < width)
        return torch.where(inside, (view * height + row) * width + column, -1)


def _counts(runs: PixelRuns, shape: tuple[int, int, int], edge: int) -> np.ndarray:
    """Return how many pixels of the runs each block has."""
    views, height, width = shape
    rows, columns = -(-height // edge), -(-width // edge)
    starts, lengths = _within_rows(runs, width)
    counts = np.zeros(views * rows * columns)
    for begin in range(0, len(starts), CHUNK):
        start, length = starts[begin : begin + CHUNK], lengths[begin : begin + CHUNK]
        column, line = start % width, start // width
        first = (line // height * rows + line % height // edge) * columns
        # One entry per block that a run touches.
        spanned = (column + length - 1) // edge - column // edge + 1
        run = np.repeat(np.arange(len(start)), spanned)
        block = column[run] // edge + np.arange(len(run)) - (spanned.cumsum() - spanned)[run]
        end = np.minimum((column + length)[run], (block + 1) * edge)
        pixels = end - np.maximum(column[run], block * edge)
        counts += np.bincount(first[run] + block, weights=pixels, minlength=len(counts))
    return counts


def _within_rows(runs: PixelRuns, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return starts and lengths of the runs, cut at the ends of image rows."""
    starts, bounds = runs.starts.cpu().numpy(), runs.bounds.cpu().numpy()
    lengths = np.diff(bounds)
    lines = (starts + lengths - 1) // width - starts // width + 1
    run = np.repeat(np.arange(len(starts)), lines)
    line = starts[run] // width + np.arange(len(run)) - (lines.cumsum() - lines)[run]
    begin = np.maximum(starts[run], line * width)
    end = np.minimum((starts + lengths)[run], (line + 1) * width)
    return begin, end - begin
