"""Sparse surface points, e.g. from structure from motion or a depth sensor."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class SparsePoints:
    """Points near the surface, in scene units, with a confidence in [0, 1].

    ``normals`` are unit and outward; ``visible`` marks the views in which each point is visible.
    Either is None if unknown; then every point counts as visible in every view.
    """

    positions: Float[Tensor, "points 3"]
    confidence: Float[Tensor, "points"]
    normals: Float[Tensor, "points 3"] | None = None
    visible: Bool[Tensor, "views points"] | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, which: slice | Int[Tensor, "some"]) -> "SparsePoints":
        """Return the same points with the visibility of some of the views."""
        return replace(self, visible=None if self.visible is None else self.visible[which])

    @property
    def quantities(self) -> dict[str, Tensor]:
        """The known values by the names of the quantities."""
        values = {
            "target_points": self.positions,
            "target_point_confidence": self.confidence,
            "target_point_normals": self.normals,
        }
        return {name: value for name, value in values.items() if value is not None}

    @cached_property
    def _visibility(self) -> Float[Tensor, "views points"]:
        """1 where a point is visible in a view, else 0."""
        assert self.visible is not None
        return self.visible.float()

    def visible_from(self, views: Int[Tensor, "some"]) -> Int[Tensor, "visible"]:
        """Return the ascending indices of the points visible in at least one of the views."""
        if self.visible is None:
            return torch.arange(len(self))
        if len(self.visible) > len(views):
            # The cost of a step must not grow with the number of views.
            return self.visible[views.unique()].any(0).nonzero()[:, 0]
        selected = torch.zeros(len(self.visible))
        selected[views] = 1.0
        # A matrix product: four times as fast as "any" over rows of booleans.
        return (selected @ self._visibility > 0).nonzero()[:, 0]

    def draw(
        self,
        views: Int[Tensor, "some"],
        count: int,
        generator: torch.Generator,
        needs: Collection[str],
    ) -> dict[str, Tensor]:
        """Draw ``count`` points, with replacement, and return their quantities in ``needs``.

        Points are drawn from those visible in at least one of the views, or from all if there are
        none.
        """
        visible = self.visible_from(views)
        number = torch.randint(len(visible) or len(self), (count,), generator=generator)
        chosen = visible[number] if len(visible) else number
        return {name: value[chosen] for name, value in self.quantities.items() if name in needs}
