"""Settings of a dataset as part of a scene: region and test views, as if its files stated them.

For conversions, whose result holds them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from nerfloss.data.formats.build_settings import BuildSettings
from nerfloss.data.formats.image_loading import load_images
from nerfloss.data.formats.image_sizes import PlannedImage, plan_images
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.formats.scene_masks import masked_views, object_masks
from nerfloss.data.formats.scene_region import scene_region
from nerfloss.data.formats.view_selection import with_split
from nerfloss.data.splits import split_views

Masks = Sequence[UInt8[np.ndarray, "_ _"] | None]


def with_settings(parsed: ParsedScene, settings: BuildSettings) -> ParsedScene:
    """Return the scene with the ``region`` and ``hold_out`` of the settings as stated by its files.

    The images are decoded only where masks decide: for a part of a region, and for a sector of
    views around it. Raises DataError as `scene_region` and `split_views` do.
    """
    rule, override = settings.hold_out, settings.region
    sector = isinstance(rule, Mapping) and "sector" in rule
    if override is not None or sector:
        whole = override is not None and {"center", "radius"} <= override.keys()
        planned = plan_images(parsed.frames, 1)
        use = settings.masks is not False and not whole
        masks = loaded_masks(parsed, planned) if use else None
        cameras = [image.camera for image in planned]
        region = scene_region(parsed, cameras, masks, replace(settings, scene_scale=1.0))
        if override is not None:
            up = region.up if "up" in override else parsed.up
            parsed = replace(parsed, region=region.to_world, up=up)
        if sector:
            return with_split(parsed, region, rule)
    if rule is None:
        return parsed
    names = [frame.name for frame in parsed.frames]
    _, test, said = split_views(names, rule, parsed.folder)
    return replace(parsed, test=tuple(test), hold_out=said)


def loaded_masks(parsed: ParsedScene, planned: Sequence[PlannedImage]) -> Masks | None:
    """Return the object masks of the views, None if there are none."""
    masked = masked_views(parsed, planned)
    if not any(masked):
        return None
    loaded = load_images(
        planned,
        alpha_masks=not any(frame.object_mask for frame in parsed.frames),
        depth=parsed.depth,
        normal=parsed.normal,
        image_storage="auto",
    )
    return object_masks(parsed, planned, loaded, masked)
