"""Order in which the pixels of a view are evaluated: row by row, or patch by patch."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

Shape = tuple[int, int]


@dataclass(frozen=True)
class PixelLayout:
    """Flat indices of pixels in the order of evaluation; in patches of ``patch``, if not None.

    ``index`` has a row per patch, or per pixel. Patches may overlap.
    """

    index: Int[Tensor, "groups pixels"]
    patch: Shape | None = None

    @classmethod
    def of_rows(cls, height: int, width: int) -> "PixelLayout":
        """Return all pixels, row by row."""
        return cls(torch.arange(height * width)[:, None])

    @classmethod
    def of_patches(cls, height: int, width: int, patch: Shape, step: Shape) -> "PixelLayout":
        """Return the patches that fit into the image, ``step`` (rows, columns) apart, centred."""
        rows, columns = (
            _starts(size, side, apart)
            for size, side, apart in zip((height, width), patch, step, strict=True)
        )
        corner = (rows[:, None] * width + columns).reshape(-1, 1)
        inside = (torch.arange(patch[0])[:, None] * width + torch.arange(patch[1])).reshape(1, -1)
        return cls(corner + inside, patch)

    def chunks(self, rays: int) -> list[Int[Tensor, "pixels"]]:
        """Return the flat indices in chunks of whole patches and about ``rays`` pixels."""
        groups = max(1, rays // self.index.shape[1])
        return [part.reshape(-1) for part in self.index.split(groups)]


def _starts(size: int, side: int, apart: int) -> Int[Tensor, "starts"]:
    count = (size - side) // apart + 1
    margin = size - side - (count - 1) * apart
    return margin // 2 + apart * torch.arange(count)
