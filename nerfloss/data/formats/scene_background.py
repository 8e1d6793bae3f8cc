"""The colour behind the object of a scene that was read from files."""

import logging

from nerfloss.data.errors import DataError
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.mask_checks import check_border
from nerfloss.data.views import Views

log = logging.getLogger(__name__)

# Views whose border is compared with the background.
BORDERS = 50


def scene_background(parsed: ParsedScene, views: Views, background: str) -> str:
    """Return the background of the scene, given the setting ``dataset.background``.

    Without masks the images are used as stored (``none``); those of NeRF-synthetic without alpha
    are composited on white already, and a border of another colour is logged. Raises DataError for
    a random background without masks.
    """
    if views.mask is not None:
        return background
    if background == "random":
        found = "no alpha channel and no masks, which a random background needs"
        raise DataError(parsed.folder, found, "set dataset.background=white or none")
    if parsed.layout != "blender":
        return "none"
    some = range(0, len(views), max(1, len(views) // BORDERS))
    sizes = (views.cameras.size(view) for view in some)
    images = [
        views.rgb[view, :height, :width].numpy()
        for view, (width, height) in zip(some, sizes, strict=True)
    ]
    assumed = "white" if background == "auto" else background
    for note in check_border(images, None, assumed):
        log.warning("images: %s", note)
    return background
