"""Initial geometry of a run: box, sampled region and, for an SDF, the first shape."""

import logging
from dataclasses import dataclass, field, replace
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import interpolate

from nerfloss.data.pixel_samplers.patch import PatchBatches
from nerfloss.data.pixel_samplers.uniform import UniformBatches
from nerfloss.data.views import Views
from nerfloss.data.visual_hull import fit_box, hull_distance, visual_hull
from nerfloss.initialization.density_warmup import DensityWarmup
from nerfloss.initialization.free_space_carving import FreeSpaceCarving, box_around, densities_in
from nerfloss.initialization.sdf_init import fit_distance
from nerfloss.initialization.silhouettes import silhouettes
from nerfloss.models import Model
from nerfloss.samplers.occupancy import OccupancySampler

log = logging.getLogger(__name__)

SOURCES = ("auto", "visual_hull", "density_warmup", "sphere")
WARMUP_RESOLUTION = 64
FIT_RESOLUTION = 96


@dataclass(frozen=True)
class Initialization:
    """Initialize a model from a ``visual_hull``, a ``density_warmup`` or a ``sphere``.

    The first two fit the field's box, restrict the sampler to the region of the object, and fit an
    SDF to its surface. With ``sphere`` an SDF keeps its initial shape, and masks, if any, only
    restrict the box and the sampled region. ``auto`` is the visual hull where there are masks, and
    otherwise the density warm-up for an SDF; a density field needs no initial shape.

    A warm-up that explains less than ``min_explained_variance`` of the images' variance is
    discarded, with a warning, and the sphere is used. Since it may have missed thin parts, the
    sampler also covers the cells that carving keeps at ``region_opacity_threshold``, and
    ``region_margin`` around them, in scene units.
    """

    source: str = "auto"
    warmup: DensityWarmup = field(default_factory=DensityWarmup)
    free_space_carving: FreeSpaceCarving = field(default_factory=FreeSpaceCarving)
    min_explained_variance: float | int = 0.5
    region_opacity_threshold: float = 0.1
    region_margin: float = 0.06

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            choices = ", ".join(SOURCES)
            raise ValueError(f"initialization.source={self.source!r} is none of {choices}")

    def __call__(self, model: Model, views: Views, *, background: str, seed: int) -> None:
        """Prepare an untrained model for the views."""
        sdf, masks = "sdf" in model.field.offers, views.mask is not None
        if self.source == "visual_hull" and not masks:
            raise ValueError(
                "initialization=visual_hull needs masks and found none; "
                "use initialization=density_warmup or auto"
            )
        if self.source == "density_warmup" or (self.source == "auto" and sdf and not masks):
            self._from_warmup(model, views, background, seed)
        elif masks:
            _from_masks(model, views, fit=sdf and self.source != "sphere", seed=seed)

    def _from_warmup(self, model: Model, views: Views, background: str, seed: int) -> None:
        device, full_box = model.field.box.device, model.field.box.cpu()
        result = self.warmup(views, background=background, seed=seed, device=device)
        cameras, carve = views.cameras.to("cpu"), self.free_space_carving
        coarse = carve(densities_in(result.field, full_box, WARMUP_RESOLUTION), full_box, cameras)
        box = box_around(coarse, full_box, self.region_margin)
        densities = densities_in(result.field, box, WARMUP_RESOLUTION)
        solid = carve(densities, box, cameras)
        explained, fraction = result.explained_variance, float(solid.float().mean())
        summary = f"{max(explained, 0.0):.0%} of the images, {fraction:.0%} of its box is solid"
        if explained < self.min_explained_variance or fraction == 0:
            log.warning("the density warm-up failed (it explains %s): using the sphere", summary)
            return
        log.info("the density warm-up explains %s", summary)
        model.field.set_box(box.to(device))
        careful = replace(carve, opacity_threshold=self.region_opacity_threshold)
        possible = careful(densities, box, cameras) | solid
        _look_in(model, hull_distance(possible, box) < self.region_margin)
        _begin_at(model, hull_distance(solid, box), "the density warm-up", seed)


def draw_what_is_looked_at(batches: Any, model: Model) -> None:
    """Let batches without masks draw only pixels that see where the sampler looks.

    It looks at the model as it is, so a resumed run draws the same.
    """
    sampler = model.sampler
    narrows = isinstance(batches, UniformBatches | PatchBatches)
    if not narrows or not isinstance(sampler, OccupancySampler):
        return
    if batches.views.mask is None and not sampler.grid.region.all():
        region = sampler.grid.region.permute(2, 1, 0).cpu()
        batches.narrow(silhouettes(region, model.field.box.cpu(), batches.views.cameras.to("cpu")))


def _from_masks(model: Model, views: Views, *, fit: bool, seed: int) -> None:
    """Begin from the visual hull; an SDF takes its shape if ``fit``."""
    box = fit_box(views).cpu()
    model.field.set_box(box.to(model.field.box))
    if isinstance(model.sampler, OccupancySampler):
        # Wider masks: a cache is interpolated, and silhouettes are known to a pixel or two.
        _look_in(model, visual_hull(views, box, model.sampler.grid.resolution, dilate=3))
    if fit:
        distance = hull_distance(visual_hull(views, box, FIT_RESOLUTION), box)
        _begin_at(model, distance, "the visual hull", seed)


def _look_in(model: Model, region: Bool[Tensor, "x y z"]) -> None:
    """Let a sampler with a cache look in the region only, and in cells that touch it."""
    if isinstance(model.sampler, OccupancySampler):
        grid = model.sampler.grid
        size = (grid.resolution,) * 3
        wide = interpolate(region[None, None].float(), size, mode="trilinear")[0, 0] > 0
        grid.region.copy_(_z_first(wide))


def _begin_at(model: Model, distance: Float[Tensor, "x y z"], what: str, seed: int) -> None:
    """Give an SDF its first shape; a density has none to take."""
    if "sdf" in model.field.offers:
        grid = _z_first(distance).to(model.field.box)
        error = fit_distance(model.field, grid, seed=seed)
        log.info("began from %s: mean distance to it %.4f scene units", what, error)


def _z_first(grid: Tensor) -> Tensor:
    """Reorder a grid indexed [x, y, z] to [z, y, x], as torch's samplers of volumes want it."""
    return grid.permute(2, 1, 0).contiguous()
