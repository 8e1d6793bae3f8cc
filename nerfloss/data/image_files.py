"""Read images from files into one tensor; errors name the file."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from nerfloss.data.errors import DataError
from nerfloss.data.image_storage import ImageStorage

ENDINGS = (".png", ".jpg", ".jpeg")
IN_MEMORY = ImageStorage()
MODES = ("L", "LA", "RGB", "RGBA", "P")


def image_header(path: Path) -> tuple[int, int, bool]:
    """Return width, height, and whether there is an alpha channel, without decoding the image.

    Raises DataError if the file is missing, not an image, or has more than 8 bits per channel.
    """
    if not path.is_file():
        raise DataError(
            path, "no such image", "restore the file, or drop it from the list of views"
        )
    try:
        with Image.open(path) as image:
            if image.mode not in MODES:
                found = f"pixel format {image.mode}, not one of {', '.join(MODES)}"
                raise DataError(path, found, "convert it to 8 bits per channel")
            return image.width, image.height, image.has_transparency_data
    except UnidentifiedImageError as error:
        raise DataError(path, "not an image that can be read", "replace the file") from error


def read_images(
    paths: Sequence[Path], channels: str, downscale: int = 1, storage: ImageStorage = IN_MEMORY
) -> UInt8[Tensor, "views height width *channel"]:
    """Read images of one size as 8-bit values, in the channels of "RGB", "RGBA" or "L" (grey).

    ``downscale`` averages square blocks of that edge length, colour weighted by alpha. ``storage``
    allocates the result. Raises DataError, with the path, for an image that is truncated or differs
    in size from the first.
    """
    width, height, _ = image_header(paths[0])
    if width % downscale or height % downscale:
        found = f"{width} x {height} pixels, not a multiple of dataset.downscale={downscale}"
        raise DataError(paths[0], found, "choose a divisor of both")
    shape = (len(paths), height // downscale, width // downscale, len(channels))
    # Filled in place: never two copies of a large scene in memory.
    pixels = storage.allocate(shape if len(channels) > 1 else shape[:3])
    array = pixels.numpy()

    def fill(index: int) -> None:
        array[index] = _read_image(paths[index], (width, height), channels, downscale)

    # Decoding releases the GIL; list() raises the first error.
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(fill, range(len(paths))))
    return pixels


def check_masks(masks: UInt8[Tensor, "views height width"], paths: Sequence[Path]) -> None:
    """Raise DataError for the first mask that is 0 everywhere."""
    marked = masks.flatten(1).amax(1) > 0
    if not marked.all():
        path = paths[int(marked.logical_not().nonzero()[0])]
        raise DataError(path, "the mask is empty: no pixel belongs to the object", "drop this view")


def _read_image(path: Path, size: tuple[int, int], channels: str, downscale: int) -> np.ndarray:
    """Decode one image; its size must be that of the first."""
    found = image_header(path)[:2]
    if found != size:
        text = f"{found[0]} x {found[1]} pixels, where the first view has {size[0]} x {size[1]}"
        raise DataError(path, text, "all views of a split must have one size")
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert(channels).reduce(downscale))
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(path, f"truncated or corrupt ({error})", "replace the file") from error
