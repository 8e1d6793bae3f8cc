"""Initial geometry of a run: box, sampled region and, for an SDF, the first shape."""

import logging
import math
from dataclasses import dataclass, field, replace

from jaxtyping import Bool, Float
from torch import Tensor

from nerfloss.data.pixel_samplers.protocol import PixelSampler
from nerfloss.data.views import Views
from nerfloss.data.visual_hull import fit_box, hull_distance, visual_hull
from nerfloss.initialization.density_warmup import DensityWarmup
from nerfloss.initialization.free_cones import cells_before_the_ball
from nerfloss.initialization.free_space_carving import FreeSpaceCarving, box_around, densities_in
from nerfloss.initialization.sdf_init import fit_distance
from nerfloss.initialization.silhouettes import silhouettes
from nerfloss.models import Model

log = logging.getLogger(__name__)

SOURCES = ("auto", "visual_hull", "density_warmup", "sphere")
WARMUP_RESOLUTION = 64
FIT_RESOLUTION = 96


@dataclass(frozen=True)
class Initialization:
    """Initialize a model from a ``visual_hull``, a ``density_warmup`` or a ``sphere``.

    The first two fit the field's box, restrict the sampler to the region of the object, and fit an
    SDF to its surface. With ``sphere`` an SDF keeps its initial shape, and masks, if any, only
    restrict the box and the sampled region. A density field needs no initial shape; ``auto`` is the
    visual hull for an SDF with exact masks, and the density warm-up, inside of the visual hull if
    there is one, for an SDF without masks or with those of photographs (``background`` inpainted):
    a hull covers concavities, and an SDF may never open them.

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
        """Initialize an untrained model for the views."""
        if model.background is not None:
            cells = cells_before_the_ball(views.cameras.to("cpu"), model.background.resolution)
            model.background.keep_empty(cells)
            log.info(
                "background: space between the training cameras and the unit ball counts as empty, "
                "and all pixels of the images are drawn"
            )
        sdf, masks = "sdf" in model.field.offers, views.mask is not None
        if self.source == "visual_hull" and not masks:
            raise ValueError(
                "initialization=visual_hull needs masks and found none; "
                "use initialization=density_warmup or auto"
            )
        if masks and model.cameras is not None:
            log.info(
                "cameras=refine: masks widened by %d pixels (%g degrees, cameras.tolerance) for "
                "the initial region",
                _mask_margin(model, views),
                model.cameras.tolerance,
            )
        exact = masks and background != "inpainted"
        by_warmup = self.source == "density_warmup" or (self.source == "auto" and sdf and not exact)
        if by_warmup and self._from_warmup(model, views, background, seed):
            return
        if masks:
            _from_masks(model, views, fit=sdf and self.source != "sphere", seed=seed)

    def _from_warmup(self, model: Model, views: Views, background: str, seed: int) -> bool:
        """Initialize from a warm-up; return False, with a warning, where it failed."""
        device, full_box = model.field.box.device, model.field.box.cpu()
        result = self.warmup(
            views,
            background=background,
            seed=seed,
            device=device,
            background_model=model.background,
        )
        cameras, carve = views.cameras.to("cpu"), self.free_space_carving
        coarse = carve(densities_in(result.field, full_box, WARMUP_RESOLUTION), full_box, cameras)
        coarse = _inside_masks(coarse, model, views, full_box)
        box = box_around(coarse, full_box, self.region_margin)
        densities = densities_in(result.field, box, WARMUP_RESOLUTION)
        solid = _inside_masks(carve(densities, box, cameras), model, views, box)
        explained, fraction = result.explained_variance, float(solid.float().mean())
        summary = (
            f"{max(explained, 0.0):.0%} of the variance of the images; "
            f"{fraction:.0%} of its box is occupied"
        )
        if explained < self.min_explained_variance or fraction == 0:
            instead = "sphere" if views.mask is None else "visual hull"
            log.warning(
                "the density warm-up failed (it explains %s): using the %s", summary, instead
            )
            return False
        log.info("the density warm-up explains %s", summary)
        if model.background is not None and result.background_model is not None:
            model.background.load_state_dict(result.background_model.state_dict())
        model.field.set_box(box.to(device))
        careful = replace(carve, opacity_threshold=self.region_opacity_threshold)
        possible = careful(densities, box, cameras) | solid
        region = hull_distance(possible, box) < self.region_margin
        if views.mask is not None:
            region &= _widened_hull(model, views, box, WARMUP_RESOLUTION)
        model.sampler.restrict_to(region)
        _fit_shape(model, hull_distance(solid, box), "the density warm-up", seed)
        return True


def restrict_pixels(pixel_sampler: PixelSampler, model: Model) -> None:
    """Restrict pixels without masks to those that see the sampled region.

    With a background model all pixels are drawn. Depends on the model's current state only, so a
    resumed run draws the same pixels.
    """
    region = model.sampler.region
    if model.background is not None or pixel_sampler.views.mask is not None:
        return
    if region is None or region.all():
        return
    cameras = pixel_sampler.views.cameras.to("cpu")
    pixel_sampler.restrict_to(silhouettes(region.cpu(), model.field.box.cpu(), cameras))


def _from_masks(model: Model, views: Views, *, fit: bool, seed: int) -> None:
    """Initialize box and sampled region from the visual hull, and an SDF if ``fit``.

    Where cameras are refined the sampled region allows for the largest errors of orientation. Box
    and shape allow for a third of them: the hull of many views loses about what a typical error
    moves a silhouette by, and a larger box has larger cells.
    """
    margin = _mask_margin(model, views)
    typical = math.ceil(margin / 3)
    box = fit_box(views, dilate=1 + typical).cpu()
    model.field.set_box(box.to(model.field.box))
    region = model.sampler.region
    if region is not None:
        model.sampler.restrict_to(_widened_hull(model, views, box, len(region)))
    if fit:
        hull = visual_hull(views, box, FIT_RESOLUTION, dilate=typical)
        distance = hull_distance(hull, box)
        _fit_shape(model, distance, "the visual hull", seed)


def _inside_masks(
    solid: Bool[Tensor, "x y z"], model: Model, views: Views, box: Float[Tensor, "2 3"]
) -> Bool[Tensor, "x y z"]:
    """Return the solid cells inside of the visual hull, or all without masks or without overlap."""
    if views.mask is None:
        return solid
    inside = solid & visual_hull(views, box, len(solid), dilate=1 + _mask_margin(model, views))
    return inside if inside.any() else solid


def _widened_hull(
    model: Model, views: Views, box: Float[Tensor, "2 3"], resolution: int
) -> Bool[Tensor, "x y z"]:
    """Return the region that the sampler covers within the masks."""
    # Dilated masks: the sampler's grid is interpolated, and masks are off by a pixel or two.
    return visual_hull(views, box, resolution, dilate=3 + _mask_margin(model, views))


def _mask_margin(model: Model, views: Views) -> int:
    """Return by how many pixels the silhouettes are off for the errors that refinement expects."""
    if model.cameras is None:
        return 0
    focal = float(views.cameras.intrinsics[:, 0, 0].max())
    return math.ceil(focal * math.tan(math.radians(model.cameras.tolerance)))


def _fit_shape(model: Model, distance: Float[Tensor, "x y z"], source: str, seed: int) -> None:
    """Fit an SDF field to signed distances; no effect on a density field."""
    if "sdf" in model.field.offers:
        # Indexed [z, y, x], as `torch.nn.functional.grid_sample` requires.
        grid = distance.permute(2, 1, 0).contiguous().to(model.field.box)
        error = fit_distance(model.field, grid, seed=seed)
        log.info("initialized from %s: mean distance to it %.4f scene units", source, error)
