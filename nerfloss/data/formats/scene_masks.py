"""Which views of a parsed scene have an object mask, and what the masks look like."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_loading import LoadedImages
from nerfloss.data.formats.image_sizes import PlannedImage
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.mask_checks import check_object_masks, object_at_border
from nerfloss.data.mask_files import read_mask

log = logging.getLogger(__name__)


def with_masks_of_test_views(parsed: ParsedScene, test: Sequence[int]) -> ParsedScene:
    """Return the scene with the mask files of the ``test`` views only, for scores.

    Without any where one of them is missing or broken, which is logged.
    """
    paths = [parsed.frames[view].object_mask for view in test]
    known = [path for path in paths if path is not None]
    keep = set(test) if known and len(known) == len(paths) else set()
    try:
        for path in known if keep else ():
            read_mask(path)
    except DataError as error:
        log.warning("masks: those of the test views are not used for scores: %s", error)
        keep = set()
    frames = tuple(
        frame if view in keep else replace(frame, object_mask=None)
        for view, frame in enumerate(parsed.frames)
    )
    return replace(parsed, frames=frames)


def masked_views(
    parsed: ParsedScene, planned: Sequence[PlannedImage], *, for_training: bool = True
) -> list[bool]:
    """Return which views have an object mask: a file, or an alpha channel where none has a file.

    Unless masks are used ``for_training`` some views may have none.
    Raises DataError where some views that the files train on, or test on, have one and others not.
    """
    frames = parsed.frames
    files = any(frame.object_mask for frame in frames)
    masked = [
        frame.object_mask is not None if files else image.has_alpha
        for frame, image in zip(frames, planned, strict=True)
    ]
    if files and not for_training:
        return masked
    held = set(parsed.test or ())
    train = [view for view in range(len(frames)) if view not in held]
    for views in (train, sorted(held)):
        without = [frames[view] for view in views if not masked[view]]
        if not without or len(without) == len(views):
            continue
        kind = "object mask" if files else "alpha channel"
        found = (
            f"no {kind}, but {len(views) - len(without)} of {len(views)} views have one; "
            f"without: {', '.join(frame.name for frame in without[:5])}"
        )
        found += " ..." if len(without) > 5 else ""
        remedy = f"give every view an {kind}, or set dataset.masks=false"
        raise DataError(without[0].image, found, remedy)
    return masked


def object_masks(
    parsed: ParsedScene,
    planned: Sequence[PlannedImage],
    loaded: LoadedImages,
    masked: Sequence[bool],
) -> list[UInt8[np.ndarray, "_ _"] | None] | None:
    """Return the object masks in the sizes of their images, None where a view has none.

    None if no view has one. What is suspicious is logged, and objects at the border of the image;
    DataError as `check_object_masks`.
    """
    if loaded.mask is None or not any(masked):
        return None
    masks = [
        loaded.mask[row, : image.size[1], : image.size[0]].numpy() if has_mask else None
        for row, image, has_mask in zip(loaded.rows, planned, masked, strict=True)
    ]
    files = [str(frame.object_mask or frame.image) for frame in parsed.frames]
    warnings = check_object_masks(masks, files)
    for warning in warnings:
        log.warning("masks: %s", warning)
    if not warnings and (note := object_at_border(masks, files)):
        log.info("masks: %s", note)
    return masks
