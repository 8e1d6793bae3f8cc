"""Build a scene in scene units from what a reader of a layout has parsed."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import trimesh
from jaxtyping import Float

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.formats.build_settings import BuildSettings
from nerfloss.data.formats.camera_order import order_by_masks
from nerfloss.data.formats.empty_maps import check_empty_maps
from nerfloss.data.formats.image_loading import LoadedImages, load_images
from nerfloss.data.formats.image_sizes import PlannedImage, counted, plan_images
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.formats.scene_background import is_photographed, scene_background
from nerfloss.data.formats.scene_masks import masked_views, object_masks, with_masks_of_test_views
from nerfloss.data.formats.scene_points import scene_points
from nerfloss.data.formats.scene_region import described, in_scene_units, poses_of, scene_region
from nerfloss.data.formats.view_selection import expected_split, split, storage_order
from nerfloss.data.region import Masks, Region
from nerfloss.data.scene import Scene, describe_masks
from nerfloss.data.sparse_points import SparsePoints
from nerfloss.data.views import Views

log = logging.getLogger(__name__)


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
    use = settings.masks is not False
    if not use:
        _, test_views = expected_split(parsed, settings.hold_out)
        parsed = with_masks_of_test_views(parsed, test_views)
    planned = plan_images(parsed.frames, settings.downscale)
    masked = masked_views(parsed, planned, for_training=use)
    alpha = any(masked) and not any(frame.object_mask for frame in parsed.frames)
    loaded = _decoded(parsed, planned, alpha, settings)
    masks = object_masks(parsed, planned, loaded, masked) if use else None
    if masks is not None and (ordered := order_by_masks(parsed, masks)) is not parsed:
        parsed, planned = ordered, plan_images(ordered.frames, settings.downscale)
    region = _region(parsed, planned, masks, settings)
    own = points(region.to_world)
    sparse = own if own is not None else scene_points(parsed, region)
    views = _views(parsed, planned, loaded, region, settings, sparse)
    up = region.to_world[:3, :3].T @ region.up / region.radius
    train, test, rule = split(parsed, views, loaded.rows, masked, settings.hold_out, up)
    background = scene_background(parsed, train, settings.background)
    if settings.masks is False and alpha:
        train = train.without_masks(background)
    return Scene(
        name=parsed.folder.resolve().name,
        train=train,
        test=_without_estimates(parsed, test),
        to_world=region.to_world,
        background=background,
        ground_truth=ground_truth,
        reference=parsed.reference,
        photographed=not alpha and is_photographed(train),
        up=up,
        conventions={
            "layout": parsed.layout,
            **described(region),
            "image_range": "0 to 1, from 8 bit as stored",
            "background": background,
            "hold_out": rule,
            **_described(alpha, any(masked), settings),
        },
    )


def _region(
    parsed: ParsedScene,
    planned: Sequence[PlannedImage],
    masks: Masks | None,
    settings: BuildSettings,
) -> Region:
    """Return the region, after the log's lines on what the reader assumed."""
    for note in parsed.notes:
        log.info("%s", note)
    return scene_region(parsed, [image.camera for image in planned], masks, settings)


def _without_estimates(parsed: ParsedScene, test: Views) -> Views:
    """Return the test views without normals that a network estimated: they are no truth."""
    if not parsed.normal.estimated or test.normal is None:
        return test
    log.info("normals are a network's estimates: the test views are not scored against them")
    return replace(test, normal=None)


def _decoded(
    parsed: ParsedScene, planned: Sequence[PlannedImage], alpha: bool, settings: BuildSettings
) -> LoadedImages:
    """Decode the images, split already; what had to be assumed is logged."""
    order = storage_order(parsed, settings.hold_out)
    loaded = load_images(
        planned,
        alpha_masks=alpha,
        depth=parsed.depth,
        normal=parsed.normal,
        image_storage=settings.image_storage,
        order=order,
    )
    for note in counted(loaded.notes, len(planned)):
        log.info("images: %s", note)
    check_empty_maps(planned, loaded)
    return loaded


def _described(alpha: bool, masked: bool, settings: BuildSettings) -> dict[str, Any]:
    """Return what the object masks are made of, and by what images are reduced."""
    meaning = "alpha channel" if alpha else "object masks" if masked else "none"
    return {"mask": describe_masks(meaning, settings.masks), "downscale": settings.downscale}


def _views(
    parsed: ParsedScene,
    planned: Sequence[PlannedImage],
    loaded: LoadedImages,
    region: Region,
    settings: BuildSettings,
    points: SparsePoints | None,
) -> Views:
    """Return the views in the order in which their images are stored."""
    poses = in_scene_units(poses_of(parsed), region)
    order = np.argsort(loaded.rows).tolist()
    _to_scene_units(loaded, region)
    return Views(
        Cameras.of([image.camera for image in planned], poses)[torch.tensor(order)],
        tuple(parsed.frames[view].name for view in order),
        loaded.rgb,
        loaded.mask,
        loaded.depth,
        loaded.depth_confidence,
        loaded.normal,
        points=None if points is None else points[torch.tensor(order)],
        ignore=loaded.ignore,
        relative_depth=loaded.relative_depth,
        disparity=loaded.disparity,
        image_storage=settings.image_storage,
        on_disk=loaded.on_disk,
    )


def _to_scene_units(loaded: LoadedImages, region: Region) -> None:
    """Convert depths and normals in place, one view at a time."""
    turn = torch.from_numpy(region.to_world[:3, :3] / region.radius).float()
    for depth in () if loaded.depth is None else loaded.depth:
        depth.div_(region.radius)
    for normal in () if loaded.normal is None else loaded.normal:
        normal.copy_(normal @ turn)
