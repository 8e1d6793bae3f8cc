"""Targets of a step that are not per ray: sparse points, and all training views."""

import logging
from collections.abc import Collection
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.undistortion import pinhole_images
from nerfloss.data.views import Views

# Defaults: sparse points per step, and neighbours listed for each view.
POINTS, NEIGHBOURS = 512, 8
# Share of the pixels of all views below which a crop to their common size is a warning.
LEAST_SHARE = 0.5

log = logging.getLogger(__name__)


def with_global_targets(observed: frozenset[str]) -> frozenset[str]:
    """Return the quantities in a batch of a dataset that offers ``observed``."""
    images = {"view_images", "view_projections", "view_neighbours"}
    return observed | images | ({"view_masks"} if "target_mask" in observed else set())


class GlobalTargets:
    """Provide the targets in ``needs`` that are not per ray.

    A step gets ``points`` sparse points, drawn from those visible in the views of its rays. Images
    of all views are constants: the stored tensors themselves on the CPU, one copy on another
    device. ``neighbours`` is the number of views per row of ``view_neighbours``.
    Raises ValueError if neighbours are needed and there is only one view.
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
        observed = {} if views.points is None else views.points.quantities
        self._points = views.points if observed.keys() & set(needs) else None
        self._count, self._needs, self._device = points, frozenset(needs), device
        self._view_pixels = views.cameras.width * views.cameras.height
        # Device on which pixels are drawn: that of the images; the host if points depend on them.
        self.index_device = views.rgb.device if self._points is None else torch.device("cpu")
        made = _all_views(views, self._needs, neighbours)
        self._constants = {name: value.to(device) for name, value in made.items()}

    def __call__(self, flat: Int[Tensor, "rays"], generator: torch.Generator) -> dict[str, Any]:
        """Return the global targets for pixels, given by flat indices over (view, row, column)."""
        if self._points is None:
            return self._constants
        views = flat // self._view_pixels
        drawn = self._points.draw(views, self._count, generator, self._needs)
        return self._constants | {name: value.to(self._device) for name, value in drawn.items()}


def nearest_views(cameras: Cameras, count: int) -> Int[Tensor, "views sources"]:
    """Return for each camera the others, sorted by the angle between their centres at the origin.

    The object is at the origin, so this is the angle between viewing directions. The result has at
    most ``count`` columns, and at most one less than there are cameras.
    """
    if len(cameras) < 2:
        raise ValueError(
            "view_neighbours needs at least 2 views to train on and found 1; raise dataset.views, "
            "hold out fewer (dataset.hold_out), or leave out the terms that compare views "
            "(loss.terms.<name>.weight=0)"
        )
    directions = torch.nn.functional.normalize(cameras.poses[:, :, 3].double(), dim=-1)
    cosine = (directions @ directions.T).fill_diagonal_(-2.0)
    order = cosine.argsort(dim=1, descending=True, stable=True)
    return order[:, : min(count, len(cameras) - 1)]


def projections(cameras: Cameras) -> Float[Tensor, "views 3 4"]:
    """Return the matrices ``K [R | t]``: homogeneous scene points to (u w, v w, w), in pixels."""
    poses = cameras.poses.double()
    rotation = cameras.intrinsics.double() @ poses[:, :, :3].mT
    return torch.cat([rotation, -rotation @ poses[:, :, 3:]], dim=-1).to(cameras.poses.dtype)


def _say_what_is_cropped(views: Views) -> None:
    """Log what terms that compare views do not see of images of several sizes."""
    cameras = views.cameras
    width, height = cameras.common_size
    share = len(cameras) * width * height / float(cameras.all_sizes.double().prod(-1).sum())
    if share < 1:
        log.log(
            logging.INFO if share > LEAST_SHARE else logging.WARNING,
            "images of several sizes: terms that compare views see %.0f%% of their pixels, the "
            "%d x %d at the top left that all have; the smallest is %s",
            100 * share,
            width,
            height,
            views.names[int(cameras.all_sizes.prod(-1).argmin())],
        )


def _all_views(views: Views, needs: frozenset[str], neighbours: int) -> dict[str, Tensor]:
    makers = {
        "view_images": lambda: pinhole_images(views, views.rgb),
        # What a photograph does not show is not outside of its object.
        "view_masks": lambda: (
            None if views.mask is None else pinhole_images(views, views.mask, unseen=255)
        ),
        "view_projections": lambda: projections(views.cameras),
        "view_neighbours": lambda: nearest_views(views.cameras, neighbours),
    }
    if needs & {"view_images", "view_masks"}:
        _say_what_is_cropped(views)
    made = {name: make() for name, make in makers.items() if name in needs}
    return {name: value for name, value in made.items() if value is not None}
