"""Build a scene in scene units from what a reader of a layout has parsed."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import trimesh
from jaxtyping import Float, UInt8

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.errors import DataError
from nerfloss.data.formats.camera_order import order_by_masks
from nerfloss.data.formats.image_loading import LoadedImages, load_images
from nerfloss.data.formats.image_sizes import PlannedImage, counted, plan_images
from nerfloss.data.formats.parsed_scene import Frame, ParsedScene
from nerfloss.data.formats.scene_background import scene_background
from nerfloss.data.formats.scene_points import scene_points
from nerfloss.data.formats.scene_region import in_scene_units, poses_of, scene_region
from nerfloss.data.formats.view_selection import split
from nerfloss.data.image_storage import storage_for
from nerfloss.data.mask_checks import check_object_masks
from nerfloss.data.region import Region
from nerfloss.data.scene import Scene, describe_masks
from nerfloss.data.sparse_points import SparsePoints
from nerfloss.data.views import Views

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuildSettings:
    """Settings of `build_scene`: those of the dataset (see `FolderDataset`), by the same names."""

    background: str = "auto"
    masks: bool | str = "auto"
    downscale: int = 1
    hold_out: Mapping[str, Any] | Sequence[str] | str | None = None
    region: Mapping[str, Any] | None = None
    orientation: str = "auto"
    scene_scale: float | int | str = "auto"
    image_storage: str = "auto"


def build_scene(
    parsed: ParsedScene,
    settings: BuildSettings,
    *,
    points: Callable[[Float[np.ndarray, "4 4"]], SparsePoints | None] = lambda _: None,
    ground_truth: Callable[[], trimesh.Trimesh] | None = None,
) -> Scene:
    """Return the scene: images decoded, poses and points in scene units, views split.

    ``points`` returns the sparse points of the user's own file, given ``to_world``; where it has
    none, those of the layout are used. Everything that is assumed is logged, one line each.
    Raises DataError, with the path, for input that cannot be used or contradicts itself.
    """
    planned = plan_images(parsed.frames, settings.downscale)
    alpha = uses_alpha(parsed.frames, [image.has_alpha for image in planned])
    loaded = load_images(
        planned,
        alpha_masks=alpha,
        depth=parsed.depth,
        normal=parsed.normal,
        storage=storage_for(settings.image_storage, 4 * _pixels(planned)),
    )
    for note in counted(loaded.notes, len(planned)):
        log.info("images: %s", note)
    masks = _masks(parsed, planned, loaded) if settings.masks is not False else None
    if masks is not None and (ordered := order_by_masks(parsed, masks)) is not parsed:
        parsed, planned = ordered, plan_images(ordered.frames, settings.downscale)
    for note in parsed.notes:
        log.info("%s", note)
    region = scene_region(
        parsed,
        [image.camera for image in planned],
        masks,
        override=settings.region,
        orientation=settings.orientation,
        scene_scale=settings.scene_scale,
    )
    views = _views(parsed, planned, loaded, region, settings)
    own = points(region.to_world)
    views = replace(views, points=own if own is not None else scene_points(parsed, region))
    train, test, rule = split(parsed, views, settings.hold_out)
    background = scene_background(parsed, views, settings.background)
    if settings.masks is False and alpha:
        train = train.without_masks(background)
    meaning = "alpha channel" if alpha else "object masks" if views.mask is not None else "none"
    return Scene(
        name=parsed.folder.resolve().name,
        train=train,
        test=test,
        to_world=region.to_world,
        background=background,
        ground_truth=ground_truth,
        conventions={
            "layout": parsed.layout,
            "units": f"scene units: 1 is {region.radius:g} of the files' units",
            "region": region.description,
            "image_range": "0 to 1, from 8 bit as stored",
            "background": background,
            "hold_out": rule,
            "mask": describe_masks(meaning, settings.masks),
            "downscale": settings.downscale,
        },
    )


def uses_alpha(frames: Sequence[Frame], has_alpha: Sequence[bool]) -> bool:
    """Return whether alpha channels are the object masks.

    Raises DataError where some images have one and others do not.
    """
    if any(frame.object_mask for frame in frames) or not any(has_alpha):
        return False
    if all(has_alpha):
        return True
    without = [frame for frame, alpha in zip(frames, has_alpha, strict=True) if not alpha]
    found = (
        f"no alpha channel, but {len(frames) - len(without)} of {len(frames)} images have one; "
        f"those without: {', '.join(frame.name for frame in without[:5])}"
    )
    remedy = "give every image an alpha channel, or none (alpha is the object mask)"
    raise DataError(without[0].image, found, remedy)


def _masks(
    parsed: ParsedScene, planned: Sequence[PlannedImage], loaded: LoadedImages
) -> list[UInt8[np.ndarray, "_ _"]] | None:
    """Return the object masks in the sizes of their images, checked; None if there are none."""
    if loaded.mask is None:
        return None
    masks = [
        loaded.mask[view, : image.size[1], : image.size[0]].numpy()
        for view, image in enumerate(planned)
    ]
    files = [str(frame.object_mask or frame.image) for frame in parsed.frames]
    for note in check_object_masks(masks, files):
        log.warning("masks: %s", note)
    return masks


def _views(
    parsed: ParsedScene,
    planned: Sequence[PlannedImage],
    loaded: LoadedImages,
    region: Region,
    settings: BuildSettings,
) -> Views:
    poses = in_scene_units(poses_of(parsed), region)
    cameras = Cameras.of([image.camera for image in planned], poses)
    depth = None if loaded.depth is None else loaded.depth.div_(region.radius)
    normal = loaded.normal
    if normal is not None:
        turn = torch.from_numpy(region.to_world[:3, :3] / region.radius).to(normal.dtype)
        normal = normal @ turn
    alpha = any(image.has_alpha for image in planned) and loaded.mask is not None
    keep = settings.masks is not False or alpha
    return Views(
        cameras,
        tuple(frame.name for frame in parsed.frames),
        loaded.rgb,
        loaded.mask if keep else None,
        depth,
        normal,
        ignore=loaded.ignore,
        image_storage=settings.image_storage,
    )


def _pixels(planned: Sequence[PlannedImage]) -> int:
    width, height = (max(image.size[axis] for image in planned) for axis in (0, 1))
    return len(planned) * width * height
