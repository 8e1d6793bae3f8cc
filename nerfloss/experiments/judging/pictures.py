"""Read renders and true images as colours in [0, 1], and say what had to be assumed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nerfloss.data.errors import DataError
from nerfloss.data.image_reading import decode, read_image

BACKGROUNDS = {"white": 1.0, "black": 0.0}
# A tile of a picture with several side by side is the true image where its error is below this.
SAME = 10 ** (-40 / 10)  # mean squared: 40 dB, above what JPEG of usual quality reaches
EMPTY = 1 / 255  # alpha up to which a pixel shows the background
AGREE = 0.9  # share of the empty pixels that have to have the colour of a background
COLOUR_TOLERANCE = 0.05


@dataclass(frozen=True)
class Picture:
    """Colours in [0, 1], and alpha where the file has one; ``path`` for messages."""

    path: Path
    rgb: Float[np.ndarray, "height width 3"]
    alpha: Float[np.ndarray, "height width"] | None = None

    @property
    def size(self) -> str:
        """Width x height as text."""
        return f"{self.rgb.shape[1]} x {self.rgb.shape[0]}"

    def on(self, background: str) -> Float[np.ndarray, "height width 3"]:
        """Return the colours composited on a background; without alpha as they are."""
        if self.alpha is None:
            return self.rgb
        return self.rgb * self.alpha[..., None] + BACKGROUNDS[background] * (
            1 - self.alpha[..., None]
        )

    def columns(self, first: int, count: int) -> "Picture":
        """Return the part of some columns."""
        part = slice(first, first + count)
        alpha = None if self.alpha is None else self.alpha[:, part]
        return Picture(self.path, self.rgb[:, part], alpha)


def read_picture(path: Path, *, downscale: int = 1) -> Picture:
    """Read an image of any usual format, or an array of floats in a ``.npy`` file.

    ``downscale`` averages blocks of pixels. Alpha that is 1 everywhere counts as none. Raises
    DataError for what cannot be read, for floats outside of [0, 1], and for an image of 8 bits
    whose values are 0 and 1 only, which is one of floats that were not multiplied by 255.
    """
    if path.suffix.lower() == ".npy":
        if downscale > 1:
            found = f"an array, where images are averaged by {downscale}"
            raise DataError(path, found, "store the smaller array, or leave out --downscale")
        values = _array(path)
    else:
        stored = decode(path)
        size = None
        if downscale > 1:
            size = (stored.width // downscale, stored.height // downscale)
        values = read_image(path, "RGBA", size).astype(np.float32) / 255
    rgb, alpha = values[..., :3], values[..., 3]
    if path.suffix.lower() != ".npy" and 0 < rgb.max() <= 1 / 255:
        found = "its values are 0 and 1 of 255: floats in [0, 1] were written as 8 bits"
        raise DataError(path, found, "multiply by 255 before writing")
    return Picture(path, rgb, None if (alpha == 1).all() else alpha)


def _array(path: Path) -> Float[np.ndarray, "height width 4"]:
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(path, f"cannot be read ({error})", "write it by numpy.save") from error
    if (
        values.ndim != 3
        or values.shape[2] not in (3, 4)
        or values.dtype.kind != "f"
        or not values.size
    ):
        found = f"an array {list(values.shape)} of {values.dtype}"
        raise DataError(path, found, "store floats of shape [height, width, 3 or 4]")
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(values).all() and low >= -1e-3 and high <= 1 + 1e-3):
        found = f"values from {low:.4g} to {high:.4g}, where colours are in [0, 1]"
        raise DataError(path, found, "scale or clip them when the file is written")
    values = values.astype(np.float32).clip(0, 1)
    if values.shape[2] == 4:
        return values
    return np.concatenate([values, np.ones((*values.shape[:2], 1), np.float32)], 2)


def background_of(render: Picture, truth: Picture) -> str | None:
    """Return the background that a render shows where the truth has none: white, black or None."""
    if truth.alpha is None or render.rgb.shape != truth.rgb.shape:
        return None
    empty = truth.alpha <= EMPTY
    if render.alpha is not None or not empty.any():
        return None
    for name, level in BACKGROUNDS.items():
        close = (np.abs(render.rgb[empty] - level) <= COLOUR_TOLERANCE).all(-1)
        if close.mean() >= AGREE:
            return name
    return None


def tile_count(render: Picture, truth: Picture) -> int:
    """Return how many pictures of the truth's size a render holds side by side; 1 for itself."""
    height, width = truth.rgb.shape[:2]
    rows, columns = render.rgb.shape[:2]
    return columns // width if rows == height and columns % width == 0 and columns > width else 1


def tile_errors(render: Picture, truth: Picture, background: str) -> list[float]:
    """Return the mean squared error of each tile of a render against the truth."""
    width, expected = truth.rgb.shape[1], truth.on(background)
    return [
        float(np.square(render.columns(i * width, width).rgb - expected).mean())
        for i in range(tile_count(render, truth))
    ]
