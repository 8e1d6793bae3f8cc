"""Where a run begins: what is known of the place and the shape of the object before the first step.

Masks say it at once, through their visual hull; without them a scout finds out.
"""

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

SOURCES = ("auto", "hull", "scout", "sphere")
SCOUT_RESOLUTION = 64
FIT_RESOLUTION = 96


@dataclass(frozen=True)
class Initialization:
    """What a run begins from: the masks' visual ``hull``, what a ``scout`` finds, or a ``sphere``.

    Either of the first two fits the field's box, says where the sampler looks, and gives an SDF its
    first shape. From a sphere, an SDF keeps the shape that it has, and masks only say where to
    look. ``auto`` is the hull where there are masks, and otherwise the scout for an SDF: a density
    needs none, being one itself.

    A scout who explains less than ``trust`` of the images is not believed: then a sphere it is. It
    may have missed thin parts, so the sampler also looks where ``doubt`` of the light is lost, and
    as far as ``reach`` from there, in scene units.
    """

    source: str = "auto"
    scout: DensityWarmup = field(default_factory=DensityWarmup)
    solidity: FreeSpaceCarving = field(default_factory=FreeSpaceCarving)
    trust: float | int = 0.5
    doubt: float = 0.1
    reach: float = 0.06

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ValueError(f"start.source={self.source!r} is none of {', '.join(SOURCES)}")

    def __call__(self, model: Model, views: Views, *, background: str, seed: int) -> None:
        """Prepare an untrained model for the views."""
        sdf, masks = "sdf" in model.field.offers, views.mask is not None
        if self.source == "hull" and not masks:
            raise ValueError("start=hull needs masks and found none; use start=scout or auto")
        if self.source == "scout" or (self.source == "auto" and sdf and not masks):
            self._from_scout(model, views, background, seed)
        elif masks:
            _from_masks(model, views, fit=sdf and self.source != "sphere", seed=seed)

    def _from_scout(self, model: Model, views: Views, background: str, seed: int) -> None:
        device, whole = model.field.box.device, model.field.box.cpu()
        found = self.scout(views, background=background, seed=seed, device=device)
        cameras = views.cameras.to("cpu")
        solid = self.solidity(densities_in(found.field, whole, SCOUT_RESOLUTION), whole, cameras)
        box = box_around(solid, whole, self.reach)
        densities = densities_in(found.field, box, SCOUT_RESOLUTION)
        solid = self.solidity(densities, box, cameras)
        share = float(solid.float().mean())
        said = f"{max(found.explained, 0.0):.0%} of the images, {share:.0%} of its box is solid"
        if found.explained < self.trust or share == 0:
            log.warning("the scout found nothing to trust (it explains %s): from a sphere", said)
            return
        log.info("the scout explains %s", said)
        model.field.set_box(box.to(device))
        possible = replace(self.solidity, spent=self.doubt)(densities, box, cameras)
        _look_in(model, hull_distance(possible | solid, box) < self.reach)
        _begin_at(model, hull_distance(solid, box), "what the scout found", seed)


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
