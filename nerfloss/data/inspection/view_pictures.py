"""Small copies of images and masks, read for an inspection; broken files are collected."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_sizes import plan_images
from nerfloss.data.formats.parsed_scene import Frame, ParsedScene
from nerfloss.data.image_headers import ImageHeader, read_header
from nerfloss.data.image_reading import read_image
from nerfloss.data.mask_files import read_mask
from nerfloss.data.posed_cameras import spread

LONGEST = 480
MOST = 120


@dataclass(frozen=True)
class ViewPicture:
    """A small copy of the image of frame ``view``, and its masks.

    ``camera`` holds for the copy. ``mask`` shows the object, ``counts`` the pixels that are not
    ignored; None if there is none. ``turned`` is True where the copy was rotated by its EXIF tag to
    fit the camera. ``notes`` are what training assumes about the image.
    """

    view: int
    rgb: UInt8[np.ndarray, "height width 3"]
    camera: Camera
    header: ImageHeader
    mask: UInt8[np.ndarray, "height width"] | None = None
    counts: Bool[np.ndarray, "height width"] | None = None
    mask_is_alpha: bool = False
    turned: bool = False
    notes: tuple[str, ...] = ()

    @property
    def grey(self) -> UInt8[np.ndarray, "height width"]:
        """Return the brightness of the copy."""
        weights = np.array([0.299, 0.587, 0.114])
        return (self.rgb @ weights).round().astype(np.uint8)

    @property
    def used(self) -> Bool[np.ndarray, "height width"]:
        """Return the pixels to judge: of the object where a mask shows one, and not ignored."""
        used = np.ones(self.rgb.shape[:2], dtype=bool) if self.counts is None else self.counts
        if self.mask is not None and 0.01 < (self.mask > 127).mean() < 0.99:
            used = used & (self.mask > 127)
        return used


def read_pictures(
    parsed: ParsedScene, most: int = MOST, longest: int = LONGEST
) -> tuple[tuple[ViewPicture, ...], tuple[tuple[int, str], ...]]:
    """Read small copies of at most ``most`` views, evenly spaced, in the order of the frames.

    Return also the views whose files cannot be read, each with the message of the error.
    """
    views = spread(len(parsed.frames), most)

    def attempt(view: int) -> ViewPicture | tuple[int, str]:
        try:
            return read_picture(parsed.frames[view], view, longest)
        except DataError as error:
            return view, str(error)

    # Decoding releases the GIL.
    with ThreadPoolExecutor(max_workers=4) as pool:
        read = list(pool.map(attempt, views))
    pictures = tuple(each for each in read if isinstance(each, ViewPicture))
    return pictures, tuple(each for each in read if not isinstance(each, ViewPicture))


def read_picture(frame: Frame, view: int, longest: int) -> ViewPicture:
    """Read the small copy of one view. Raises DataError for a file that cannot be read."""
    header = read_header(frame.image)
    planned = plan_images([frame], downscale=1)[0]
    turned, (width, height) = planned.upright, planned.size
    ratio = min(1.0, longest / max(width, height))
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    pixels = read_image(frame.image, "RGBA" if header.has_alpha else "RGB", size, turned)
    mask = _mask(frame.object_mask, size, turned)
    alpha = mask is None and header.has_alpha
    ignored = _mask(frame.ignore_mask, size, turned)
    return ViewPicture(
        view,
        np.ascontiguousarray(pixels[..., :3]),
        planned.camera.resized(*size),
        header,
        pixels[..., 3] if alpha else mask,
        None if ignored is None else ignored > 127,
        alpha,
        turned,
        planned.notes,
    )


def _mask(
    path: Path | None, size: tuple[int, int], turned: bool
) -> UInt8[np.ndarray, "height width"] | None:
    if path is None:
        return None
    header = read_header(path)
    upright = turned and header.orientation >= 5
    # A mask smaller than the copy is read as it is, and stretched by its nearest pixels.
    stored = header.upright_size if upright else (header.width, header.height)
    if stored[0] >= size[0] and stored[1] >= size[1]:
        return read_mask(path, size, upright)
    mask = read_mask(path, None, upright)
    rows = np.arange(size[1]) * mask.shape[0] // size[1]
    columns = np.arange(size[0]) * mask.shape[1] // size[0]
    return mask[rows][:, columns]
