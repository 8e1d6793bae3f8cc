"""Sets of pixels that may be drawn, stored as runs of neighbouring pixels."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int, UInt8
from scipy.ndimage import maximum_filter
from torch import Tensor

from nerfloss.data.views import Views


@dataclass(frozen=True)
class PixelRuns:
    """A set of pixels as runs within image rows.

    ``starts`` are the flat indices over (view, row, column) at which the runs begin, ``bounds`` the
    number of pixels before each run, and ``count`` the number of all pixels, kept on the host to
    avoid a device synchronisation. One run per image row is about a thousand times smaller than the
    images.
    """

    starts: Int[Tensor, "runs"]
    bounds: Int[Tensor, "runs+1"]
    count: int

    @classmethod
    def everywhere(cls, views: Views, patch: tuple[int, int] = (1, 1)) -> "PixelRuns":
        """Return the top left corners of all patches that fit into the views' images."""
        width, height, count = views.cameras.width, views.cameras.height, len(views)
        if patch == (1, 1):
            pixels = count * width * height
            return cls(torch.zeros(1, dtype=torch.int64), torch.tensor([0, pixels]), pixels)
        rows, columns = height - patch[0] + 1, width - patch[1] + 1
        starts = torch.arange(count)[:, None] * height * width + torch.arange(rows) * width
        bounds = torch.arange(count * rows + 1) * columns
        return cls(starts.reshape(-1), bounds, count * rows * columns)

    @classmethod
    def near_masks(
        cls,
        masks: UInt8[Tensor, "views height width"],
        distance: int,
        patch: tuple[int, int] = (1, 1),
    ) -> "PixelRuns":
        """Return the pixels at most ``distance`` rows and columns away from a non-zero mask.

        With a ``patch`` (height, width), the top left corners of patches that fit into the image
        and whose middle is that near.
        """
        starts, lengths = [], []
        pixels = masks.shape[1] * masks.shape[2]
        rows, columns = masks.shape[1] - patch[0] + 1, masks.shape[2] - patch[1] + 1
        top, left = patch[0] // 2, patch[1] // 2
        for view, image in enumerate(masks.cpu().numpy()):
            near = maximum_filter(image, size=2 * distance + 1, mode="constant") > 0
            near = near[top : top + rows, left : left + columns]
            edges = np.diff(np.pad(near, ((0, 0), (1, 1))).astype(np.int8), axis=1)
            row, begin = np.nonzero(edges == 1)
            _, end = np.nonzero(edges == -1)
            starts.append(view * pixels + row * masks.shape[2] + begin)
            lengths.append(end - begin)
        bounds = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
        first, before = torch.from_numpy(np.concatenate(starts)), torch.from_numpy(bounds)
        return cls(first, before, int(before[-1]))

    def to(self, device: torch.device) -> "PixelRuns":
        """Return the same pixels with their indices on a device."""
        return PixelRuns(self.starts.to(device), self.bounds.to(device), self.count)

    def draw(self, count: int, generator: torch.Generator) -> Int[Tensor, "count"]:
        """Draw flat indices uniformly, with replacement; the same ones on every device."""
        number = torch.randint(self.count, (count,), generator=generator)
        number = to_device(number, self.bounds.device)
        run = torch.searchsorted(self.bounds, number, right=True) - 1
        return self.starts[run] + (number - self.bounds[run])


def step_generator(seed: int, step: int, rays: int) -> torch.Generator:
    """Return a random generator of its own for one step."""
    mixed = np.random.SeedSequence([seed, step, rays]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Move values to a device; from the host to a GPU without synchronisation."""
    if device.type == "cuda" and values.device.type == "cpu":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)
