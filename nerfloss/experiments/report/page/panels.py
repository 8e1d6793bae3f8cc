"""Images from the grids that a run writes: split, scaled down, encoded as data URLs."""

import base64
import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from nerfloss.evaluation.image_grid import GAP, TITLE

# In the order of the grid; density fields have no normals.
KINDS = ("rendered", "photograph", "error", "depth", "normals")
MAX_TILES = len(KINDS)

Panel = UInt8[np.ndarray, "panel_height panel_width 3"]
Picture = UInt8[np.ndarray, "height width 3"]


def panels_of(run: Path) -> dict[str, Path]:
    """Return the image grids of the evaluated views, by view."""
    return {path.name.removesuffix(".png"): path for path in sorted((run / "images").glob("*.png"))}


def cut(panel: Panel) -> dict[str, Picture]:
    """Split an image grid by kind; a single image counts as "rendered"."""
    picture = panel[TITLE:]
    width = picture.shape[1]
    for count in range(MAX_TILES, 0, -1):
        tile, rest = divmod(width + GAP, count)
        if rest == 0 and tile > GAP and _is_cut_at(picture, range(tile, width, tile)):
            tiles = [picture[:, tile * i : tile * (i + 1) - GAP] for i in range(count)]
            return dict(zip(KINDS, tiles, strict=False))
    return {"rendered": picture}


def read_panel(path: Path) -> dict[str, Picture]:
    """Read and split an image grid."""
    with Image.open(path) as image:
        return cut(np.asarray(image.convert("RGB")))


def as_data_url(picture: Picture, *, longest: int, quality: int = 82) -> str:
    """Return the image as a WebP data URL, at most ``longest`` pixels along its longer side."""
    image = Image.fromarray(picture)
    if max(image.size) > longest:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    image.save(data, format="WEBP", quality=quality, method=4)
    return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode()


def _is_cut_at(picture: UInt8[np.ndarray, "tiles_height tiles_width 3"], ends: range) -> bool:
    """Return True if a white gap ends at each of these columns."""
    return all((picture[:, end - GAP : end] == 255).all() for end in ends)
