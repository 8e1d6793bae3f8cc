"""Ignore masks that ignore everything, and depth maps that know nothing."""

import logging
from collections.abc import Sequence

from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_loading import LoadedImages
from nerfloss.data.formats.image_sizes import PlannedImage

log = logging.getLogger(__name__)

KINDS = {
    "ignore": (
        "ignore_mask",
        "the ignore masks ignore every pixel",
        "a pixel counts where its ignore mask is not 0: invert the masks, or remove them",
    ),
    "depth": (
        "depth",
        "the depth maps hold no known depth",
        "export them again, or remove them: 0, negative and not finite mean unknown",
    ),
}


def check_empty_maps(planned: Sequence[PlannedImage], loaded: LoadedImages) -> None:
    """Warn about views whose ignore mask or depth map says nothing.

    Raises DataError, with the path of the first, if it is so in all views that have one.
    """
    for kind, (attribute, found, remedy) in KINDS.items():
        values = getattr(loaded, kind)
        if values is None:
            continue
        given, empty = [], []
        for row, image in zip(loaded.rows, planned, strict=True):
            path = getattr(image.frame, attribute)
            if path is None:
                continue
            given.append(path)
            shown = values[row, : image.size[1], : image.size[0]]
            if bool((shown != 0).all() if kind == "ignore" else (shown <= 0).all()):
                empty.append(path)
        if empty and len(empty) == len(given):
            raise DataError(empty[0], f"{found} in {len(empty)} of {len(given)} views", remedy)
        if empty:
            names = ", ".join(path.name for path in empty[:5]) + (" ..." if empty[5:] else "")
            log.warning("%s in %d of %d views: %s", found, len(empty), len(given), names)
