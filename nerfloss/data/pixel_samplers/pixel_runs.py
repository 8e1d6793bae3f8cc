"""Sets of pixels that may be drawn, stored as runs of neighbouring pixels."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int, UInt8
from scipy.ndimage import maximum_filter, minimum_filter
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
        if views.ignore is not None:
            shape = tuple(views.ignore.shape[1:])
            whole = np.ones(shape, dtype=bool)
            return cls._of_corners(_corners(whole, views, i, patch) for i in range(len(views)))
        width, height, count = views.cameras.width, views.cameras.height, len(views)
        if patch == (1, 1) and views.cameras.sizes is None:
            pixels = count * width * height
            return cls(torch.zeros(1, dtype=torch.int64), torch.tensor([0, pixels]), pixels)
        # Arithmetic: marking the pixels of thousands of large images would take minutes.
        columns, rows = (views.cameras.all_sizes - torch.tensor([patch[1], patch[0]]) + 1).T
        rows = torch.where(columns > 0, rows, 0).clamp(min=0)
        view = torch.arange(count).repeat_interleave(rows)
        first = (rows.cumsum(0) - rows).repeat_interleave(rows)
        starts = view * height * width + (torch.arange(len(view)) - first) * width
        bounds = torch.cat([torch.zeros(1, dtype=torch.int64), columns[view].cumsum(0)])
        return cls(starts, bounds, int(bounds[-1]))

    @classmethod
    def near_masks(
        cls,
        masks: UInt8[Tensor, "views height width"],
        distance: int,
        patch: tuple[int, int] = (1, 1),
        views: Views | None = None,
    ) -> "PixelRuns":
        """Return the pixels at most ``distance`` rows and columns away from a non-zero mask.

        With a ``patch`` (height, width), the top left corners of patches that fit into the image
        and whose middle is that near. Pixels that do not count in ``views`` are left out.
        """

        def near(view: int) -> Bool[np.ndarray, "height width"]:
            image = masks[view].cpu().numpy()
            reached = maximum_filter(image, size=2 * distance + 1, mode="constant") > 0
            return _corners(reached, views, view, patch)

        return cls._of_corners(near(view) for view in range(len(masks)))

    @classmethod
    def _of_corners(cls, marked: Iterable[Bool[np.ndarray, "height width"]]) -> "PixelRuns":
        """Return the marked pixels of each view's image."""
        starts, lengths = [], []
        for view, image in enumerate(marked):
            height, width = image.shape
            edges = np.diff(np.pad(image, ((0, 0), (1, 1))).astype(np.int8), axis=1)
            row, begin = np.nonzero(edges == 1)
            _, end = np.nonzero(edges == -1)
            starts.append(view * height * width + row * width + begin)
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

    def contains(self, flat: Int[Tensor, "*shape"]) -> Bool[Tensor, "*shape"]:
        """Return which flat indices are in the runs; negative ones are not."""
        run = (torch.searchsorted(self.starts, flat, right=True) - 1).clamp_min(0)
        ahead = flat - self.starts[run]
        return (ahead >= 0) & (ahead < self.bounds[run + 1] - self.bounds[run])


def _corners(
    near: Bool[np.ndarray, "height width"],
    views: Views | None,
    view: int,
    patch: tuple[int, int],
) -> Bool[np.ndarray, "height width"]:
    """Mark the top left corners of patches whose middle is ``near``, and whose pixels all count."""
    rows, columns = near.shape[0] - patch[0] + 1, near.shape[1] - patch[1] + 1
    top, left = patch[0] // 2, patch[1] // 2
    found = np.zeros_like(near)
    found[:rows, :columns] = near[top : top + rows, left : left + columns]
    counted = None if views is None else views.counts(view)
    if counted is not None:
        # The filter is centred; this moves its value to the corner of the patch.
        origin: Any = tuple(-(size // 2) for size in patch)
        whole = minimum_filter(counted, size=patch, mode="constant", origin=origin)
        found &= whole
    return found


def step_generator(seed: int, step: int, rays: int) -> torch.Generator:
    """Return a random generator of its own for one step."""
    mixed = np.random.SeedSequence([seed, step, rays]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Move values to a device; from the host to a GPU without synchronisation."""
    if device.type == "cuda" and values.device.type == "cpu":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)
