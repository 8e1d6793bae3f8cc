"""One picture per view: what was rendered and observed, how they differ, depth and normals."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from nerfloss.evaluation.colormaps import INFERNO, colored_by

WANTED = ("rgb", "opacity", "depth", "normal")  # what a panel shows of a rendering
ERROR_SCALE = 0.2  # one scale for all views and runs, so that panels can be compared
TITLE, GAP, SMALLEST = 16, 4, 128  # pixels

Picture = UInt8[np.ndarray, "height width 3"]


def _bytes(image: np.ndarray) -> Picture:
    return (np.clip(image, 0, 1) * 255).round().astype(np.uint8)


def _depth(
    depth: Float[np.ndarray, "height width"], hit: np.ndarray
) -> tuple[str, UInt8[np.ndarray, "height width 3"]]:
    """Depth where something is hit, near to far; black elsewhere."""
    low, high = (float(v) for v in np.percentile(depth[hit], [1, 99])) if hit.any() else (0.0, 1.0)
    return f"depth {low:.2f} to {high:.2f}", colored_by(depth, low, high) * hit[..., None]


def pictures(quantities: Mapping[str, Tensor]) -> dict[str, Picture]:
    """The pictures that can be made of a view's quantities, by title, in their order."""
    image = {
        name: value.detach().float().cpu().numpy()
        for name, value in quantities.items()
        if name in (*WANTED, "target_rgb")
    }
    found = {"rendered": _bytes(image["rgb"])}
    if "target_rgb" in image:
        error = np.abs(image["rgb"] - image["target_rgb"]).mean(-1)
        found["target"] = _bytes(image["target_rgb"])
        title = f"error 0 to {ERROR_SCALE}"
        found[title] = colored_by(error, 0.0, ERROR_SCALE, colors=INFERNO)
    opacity = image.get("opacity", np.ones(image["rgb"].shape[:2]))
    if "depth" in image:
        title, picture = _depth(image["depth"], opacity > 0.5)
        found[title] = picture
    if "normal" in image:
        # Faded to black with opacity: where nothing is, a normal of 0 would show as grey.
        found["normal"] = _bytes((image["normal"] + 1) / 2 * np.clip(opacity, 0, 1)[..., None])
    return found


def panel(quantities: Mapping[str, Tensor]) -> UInt8[np.ndarray, "height width 3"]:
    """All pictures of a view side by side, each under its title; small views are enlarged.

    ``quantities`` are laid out as images and hold ``rgb`` at least.
    """
    tiles = pictures(quantities)
    height, width = next(iter(tiles.values())).shape[:2]
    times = -(-SMALLEST // max(min(height, width), 1))
    height, width = height * times, width * times
    canvas = Image.new("RGB", (len(tiles) * (width + GAP) - GAP, height + TITLE), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(11)
    for index, (title, picture) in enumerate(tiles.items()):
        left = index * (width + GAP)
        tile = Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST)
        canvas.paste(tile, (left, TITLE))
        draw.text((left + 2, 1), title, fill="black", font=font)
    return np.asarray(canvas)
