"""The colour behind the object of a scene that was read from files."""

import logging

from nerfloss.data.errors import DataError
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.mask_checks import check_border
from nerfloss.data.views import Views

log = logging.getLogger(__name__)

# Views whose border is compared with the background.
BORDERS = 50
# Standard deviation, of 255, up to which pixels outside of the masks have one colour.
UNIFORM = 2.0


def scene_background(parsed: ParsedScene, views: Views, background: str) -> str:
    """Return the background of the scene, given the setting ``dataset.background``.

    Without masks the images are used as stored (``none``); those of NeRF-synthetic without alpha
    are composited on white already, and a border of another colour is logged. Raises DataError for
    a random or inpainted background without masks.
    """
    if views.mask is not None:
        return background
    if background in ("random", "inpainted"):
        article = "a" if background == "random" else "an"
        found = f"no alpha channel and no masks, which {article} {background} background needs"
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


def is_photographed(views: Views) -> bool:
    """Return True if the colours outside of the masks vary, as those of photographs do.

    Images of which the object has been cut out have one colour there.
    """
    if views.mask is None:
        return False
    for view in range(0, len(views), max(1, len(views) // BORDERS)):
        width, height = views.cameras.size(view)
        outside = views.mask[view, :height, :width] == 0
        colors = views.rgb[view, :height, :width][outside].float()
        if len(colors) and bool((colors.std(0, correction=0) > UNIFORM).any()):
            return True
    return False
