"""The region of interest of a parsed scene, and the poses in its units."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, UInt8

from nerfloss.data.camera_checks import check_cameras
from nerfloss.data.cameras.camera import Camera
from nerfloss.data.formats.build_settings import BuildSettings
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.region import Region, choose_region

log = logging.getLogger(__name__)

# Without masks and without a model of the background, the scene is so many times the region.
WITHOUT_MASKS = {"auto": 4.0, "background": 2.0}


def scene_region(
    parsed: ParsedScene,
    cameras: Sequence[Camera],
    masks: Sequence[UInt8[np.ndarray, "_ _"] | None] | None,
    settings: BuildSettings,
) -> Region:
    """Return the region that becomes the unit ball; it and what is suspicious are logged.

    ``scene_scale`` of the settings multiplies the radius of the region of interest; ``auto`` is 1
    with masks or where the region is set or stated by the files. Otherwise it is 4, since nothing
    else models what lies behind the object, and with ``background`` 2: a background model does.
    Raises DataError as `choose_region` and
    `check_cameras` do.
    """
    poses = poses_of(parsed)
    region = choose_region(
        poses,
        cameras,
        masks,
        parsed.points,
        stated=parsed.region,
        up=parsed.up,
        override=settings.region,
        orientation=settings.orientation,
    )
    names = [frame.name for frame in parsed.frames]
    folder = str(parsed.folder)
    warnings = check_cameras(poses, cameras, region, masks, names=names, path=folder)
    for warning in warnings:
        log.warning("cameras: %s", warning)
    region = scaled(region, masks is not None, settings.scene_scale)
    log.info("%s", region.description)
    return region


def described(region: Region) -> dict[str, str]:
    """Return the region and its unit, for the conventions of the scene."""
    units = f"scene units: 1 is {region.radius:g} of the files' units"
    return {"units": units, "region": region.description}


def poses_of(parsed: ParsedScene) -> Float[np.ndarray, "views 3 4"]:
    """Return the camera-to-world poses in the coordinates of the files."""
    return np.stack([frame.pose for frame in parsed.frames])


def in_scene_units(
    poses: Float[np.ndarray, "views 3 4"], region: Region
) -> Float[np.ndarray, "views 3 4"]:
    """Return poses in the coordinates of the files in those of the unit ball."""
    turn = region.to_world[:3, :3] / region.radius
    center = (poses[:, :, 3] - region.center) @ turn / region.radius
    return np.concatenate([turn.T @ poses[:, :, :3], center[:, :, None]], axis=2)


def scaled(region: Region, masks: bool, scene_scale: float | int | str) -> Region:
    """Return the region of the scene: the region of interest times ``scene_scale``.

    ``masks`` says if the scene has object masks, for the choices of `scene_region`.
    """
    if isinstance(scene_scale, str):
        found = region.source in ("points", "cameras") and not masks
        scene_scale = WITHOUT_MASKS[scene_scale] if found else 1.0
    if scene_scale == 1:
        return region
    to_world = region.to_world.copy()
    to_world[:3, :3] *= float(scene_scale)
    said = f"{region.description}; the scene is {scene_scale:g} times as large (scene_scale)"
    return replace(region, to_world=to_world, description=said)
