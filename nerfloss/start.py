"""Where a run begins: what the masks of the training views say about where the object is."""

import logging

from torch import Tensor

from nerfloss.data.hull import fit_box, hull_distance, visual_hull
from nerfloss.data.views import Views
from nerfloss.model import Model
from nerfloss.samplers.occupancy import OccupancySampler
from nerfloss.training.hull_start import fit_distance

log = logging.getLogger(__name__)

FIT_RESOLUTION = 96


def start_from_masks(model: Model, views: Views, *, fit: bool, seed: int) -> None:
    """Fit the field's box to the visual hull, look only inside it, and begin an SDF from it.

    Without masks the field keeps its unit box and its sphere, and the sampler looks everywhere.
    ``fit`` says whether an SDF begins from the hull's distance.
    """
    if views.mask is None:
        return
    field, sampler = model.field, model.sampler
    field.set_box(fit_box(views).to(field.box))
    box = field.box.cpu()
    if isinstance(sampler, OccupancySampler):
        # Wider masks: a cache is interpolated, and silhouettes are known to a pixel or two.
        region = visual_hull(views, box, sampler.grid.resolution, dilate=3)
        sampler.grid.region.copy_(_z_first(region))
    if fit and "sdf" in field.offers:
        distance = hull_distance(visual_hull(views, box, FIT_RESOLUTION), box)
        error = fit_distance(field, _z_first(distance).to(field.box), seed=seed)
        log.info("began from the visual hull: mean distance to it %.4f scene units", error)


def _z_first(grid: Tensor) -> Tensor:
    """Reorder a grid indexed [x, y, z] to [z, y, x], as torch's samplers of volumes want it."""
    return grid.permute(2, 1, 0).contiguous()
