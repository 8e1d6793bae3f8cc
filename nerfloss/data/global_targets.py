"""What a step is given beside its rays: observed points, and all views at once."""

from collections.abc import Collection
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.data.cameras.pinhole import Cameras
from nerfloss.data.views import Views

# By default: observed points in a step, and views listed as neighbours of each.
POINTS, NEIGHBOURS = 512, 8


def with_all_views(observed: frozenset[str]) -> frozenset[str]:
    """What batches offer of views that hold ``observed``: beside that, all views at once."""
    images = {"view_images", "view_projections", "view_neighbours"}
    return observed | images | ({"view_masks"} if "target_mask" in observed else set())


class GlobalTargets:
    """Makes those of ``needs`` that belong to no ray; what is not needed costs nothing.

    A step gets ``points`` observed points, of those that one of its rays' views sees. The views
    are constants: on the CPU the images themselves are handed on, elsewhere one copy of them.
    ``neighbours`` counts the views listed for each in ``view_neighbours``.
    Raises ValueError where neighbours are needed and there is one view only.
    """

    def __init__(
        self,
        views: Views,
        needs: Collection[str],
        *,
        points: int,
        neighbours: int,
        device: torch.device,
    ) -> None:
        for name, value in {"points": points, "neighbours": neighbours}.items():
            if value < 1:
                raise ValueError(f"batch.{name} must be at least 1, got {value}")
        observed = {} if views.points is None else views.points.observed
        self._points = views.points if observed.keys() & set(needs) else None
        self._count, self._needs, self._device = points, frozenset(needs), device
        self._view_pixels = views.cameras.width * views.cameras.height
        # Where pixels are chosen: beside the images, unless points, which stay here, follow them.
        self.place = views.rgb.device if self._points is None else torch.device("cpu")
        made = _all_views(views, self._needs, neighbours)
        self._constants = {name: value.to(device) for name, value in made.items()}

    def __call__(self, flat: Int[Tensor, "rays"], generator: torch.Generator) -> dict[str, Any]:
        """What surrounds the pixels with the given flat indices over views, rows and columns."""
        if self._points is None:
            return self._constants
        views = flat // self._view_pixels
        drawn = self._points.draw(views, self._count, generator, self._needs)
        return self._constants | {name: value.to(self._device) for name, value in drawn.items()}


def nearest_views(cameras: Cameras, count: int) -> Int[Tensor, "views sources"]:
    """For each camera the others, nearest first by the angle between them as the origin sees it.

    The object lies at the origin, so that angle is the one between the directions in which two
    cameras look at it. At most ``count`` columns, and one less than there are cameras.
    """
    if len(cameras) < 2:
        raise ValueError(
            "view_neighbours needs at least 2 views to train on and found 1; raise dataset.views, "
            "or hold out fewer"
        )
    towards = torch.nn.functional.normalize(cameras.poses[:, :, 3].double(), dim=-1)
    cosine = (towards @ towards.T).fill_diagonal_(-2.0)
    order = cosine.argsort(dim=1, descending=True, stable=True)
    return order[:, : min(count, len(cameras) - 1)]


def projections(cameras: Cameras) -> Float[Tensor, "views 3 4"]:
    """What takes homogeneous scene points to (u w, v w, w), u and v in pixels, w their depth."""
    poses = cameras.poses.double()
    turn = cameras.intrinsics.double() @ poses[:, :, :3].mT
    return torch.cat([turn, -turn @ poses[:, :, 3:]], dim=-1).to(cameras.poses.dtype)


def _all_views(views: Views, needs: Collection[str], neighbours: int) -> dict[str, Tensor]:
    makers = {
        "view_images": lambda: views.rgb,
        "view_masks": lambda: views.mask,
        "view_projections": lambda: projections(views.cameras),
        "view_neighbours": lambda: nearest_views(views.cameras, neighbours),
    }
    made = {name: make() for name, make in makers.items() if name in needs}
    return {name: value for name, value in made.items() if value is not None}
