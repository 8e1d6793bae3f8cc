"""One image per view: the rendering beside the target, their difference, depth and normals."""

import logging
from collections.abc import Mapping
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from nerfloss.evaluation.colormaps import INFERNO, apply_colormap
from nerfloss.files import atomic_write

log = logging.getLogger(__name__)

RENDERED = ("rgb", "opacity", "depth", "normal")  # quantities of the model that are shown
ERROR_SCALE = 0.2  # the same for all views and runs, so that grids can be compared
TITLE, GAP, SMALLEST = 16, 4, 128  # pixels

Picture = UInt8[np.ndarray, "height width 3"]


def write_image_grid(quantities: Mapping[str, Tensor], path: Path) -> bool:
    """Write a view's image grid as a PNG; False, with a warning, where it cannot be written."""
    try:
        atomic_write(path, iio.imwrite("<bytes>", image_grid(quantities), extension=".png"))
    except OSError as error:
        log.warning("no image grid: %s", error)
        return False
    return True


def image_name(view: str) -> str:
    """Return the name, without its ending, of the image file of a view.

    The names of views are unique, may have dots, and may name sub-folders ("cam0/render.0001").
    """
    for ending in (".png", ".jpg", ".jpeg"):
        view = view.removesuffix(ending)
    return view.replace("/", "__").replace("\\", "__")


def image_grid(quantities: Mapping[str, Tensor]) -> UInt8[np.ndarray, "height width 3"]:
    """Return all images of a view side by side, each under its title; small views are enlarged.

    ``quantities`` are laid out as images and include ``rgb``.
    """
    tiles = images_by_title(quantities)
    height, width = next(iter(tiles.values())).shape[:2]
    scale = -(-SMALLEST // max(min(height, width), 1))
    height, width = height * scale, width * scale
    canvas = Image.new("RGB", (len(tiles) * (width + GAP) - GAP, height + TITLE), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(11)
    for index, (title, picture) in enumerate(tiles.items()):
        left = index * (width + GAP)
        tile = Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST)
        canvas.paste(tile, (left, TITLE))
        draw.text((left + 2, 1), title, fill="black", font=font)
    return np.asarray(canvas)


def images_by_title(quantities: Mapping[str, Tensor]) -> dict[str, Picture]:
    """Return the images that can be made of a view's quantities, by title, in display order."""
    value = {
        name: quantity.detach().float().cpu().numpy()
        for name, quantity in quantities.items()
        if name in (*RENDERED, "target_rgb")
    }
    images = {"rendered": _to_bytes(value["rgb"])}
    if "target_rgb" in value:
        error = np.abs(value["rgb"] - value["target_rgb"]).mean(-1)
        images["target"] = _to_bytes(value["target_rgb"])
        title = f"error 0 to {ERROR_SCALE}"
        images[title] = apply_colormap(error, 0.0, ERROR_SCALE, colors=INFERNO)
    opacity = value.get("opacity", np.ones(value["rgb"].shape[:2]))
    if "depth" in value:
        title, image = _depth_image(value["depth"], opacity > 0.5)
        images[title] = image
    if "normal" in value:
        # Times opacity: a normal of 0 would be grey where nothing is hit.
        images["normal"] = _to_bytes((value["normal"] + 1) / 2 * np.clip(opacity, 0, 1)[..., None])
    return images


def _to_bytes(image: np.ndarray) -> Picture:
    return (np.clip(image, 0, 1) * 255).round().astype(np.uint8)


def _depth_image(
    depth: Float[np.ndarray, "height width"], hit: Bool[np.ndarray, "height width"]
) -> tuple[str, Picture]:
    """Return a title with the range of depth, and its image; black where nothing is hit."""
    near, far = (float(v) for v in np.percentile(depth[hit], [1, 99])) if hit.any() else (0.0, 1.0)
    return f"depth {near:.2f} to {far:.2f}", apply_colormap(depth, near, far) * hit[..., None]
