"""Surface points that were observed beside the images: by matching photographs, or by a sensor."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class SparsePoints:
    """Points near the surface, in scene units, and how far each can be trusted.

    ``normals`` are unit and outward; ``confidence`` lies in [0, 1]; ``seen`` says which of the
    views see a point. None where unknown: then every view counts as seeing every point.
    """

    positions: Float[Tensor, "points 3"]
    confidence: Float[Tensor, "points"]
    normals: Float[Tensor, "points 3"] | None = None
    seen: Bool[Tensor, "views points"] | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, which: slice) -> "ObservedPoints":
        """The same points, seen by some of the views."""
        return replace(self, seen=None if self.seen is None else self.seen[which])

    @property
    def observed(self) -> dict[str, Tensor]:
        """What there is of the points, by the quantities' names."""
        values = {
            "target_points": self.positions,
            "target_point_confidence": self.confidence,
            "target_point_normals": self.normals,
        }
        return {name: value for name, value in values.items() if value is not None}

    @cached_property
    def _sight(self) -> Float[Tensor, "views points"]:
        """1 where a view sees a point, else 0."""
        assert self.seen is not None
        return self.seen.float()

    def seen_from(self, views: Int[Tensor, "some"]) -> Int[Tensor, "visible"]:
        """Indices of the points that at least one of the views sees, in order."""
        if self.seen is None:
            return torch.arange(len(self))
        if len(self.seen) > len(views):
            # What a step costs must not grow with the number of views.
            return self.seen[views.unique()].any(0).nonzero()[:, 0]
        looking = torch.zeros(len(self.seen))
        looking[views] = 1.0
        # A product of matrices: four times as fast as "any" over rows of booleans.
        return (looking @ self._sight > 0).nonzero()[:, 0]

    def draw(
        self,
        views: Int[Tensor, "some"],
        count: int,
        generator: torch.Generator,
        needs: Collection[str],
    ) -> dict[str, Tensor]:
        """Of ``needs`` what is observed at ``count`` points, with replacement.

        They are drawn from those that at least one of the views sees, and from all points where
        the views see none.
        """
        visible = self.seen_from(views)
        ticket = torch.randint(len(visible) or len(self), (count,), generator=generator)
        chosen = visible[ticket] if len(visible) else ticket
        return {name: value[chosen] for name, value in self.observed.items() if name in needs}
