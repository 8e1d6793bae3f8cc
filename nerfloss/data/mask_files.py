"""Read mask files of any usual kind as greys from 0 to 255."""

from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8
from PIL import Image

from nerfloss.data.errors import DataError
from nerfloss.data.image_headers import is_sixteen_bit, opened, read_header
from nerfloss.data.image_reading import decode, resample, sixteen_bit_values, turn

# Channels of one grey may differ by this much where a JPEG was compressed with losses.
GREY_TOLERANCE = 24
# Above it a pixel of an object mask is object.
THRESHOLD = 127
# Share of the pixels that are not black which may be grey, as at soft edges of large objects.
NOTICEABLE = 0.05
LABELS = 8  # values of a mask, up to which they are listed


def read_mask(
    path: Path, size: tuple[int, int] | None = None, upright: bool = False
) -> UInt8[np.ndarray, "height width"]:
    """Read a mask as values from 0 to 255, as `read_mask_with_note` does."""
    return read_mask_with_note(path, size, upright)[0]


def mask_values_note(path: Path) -> str | None:
    """Return how the values of a mask are understood, None if they are greys as stored."""
    return read_mask_with_note(path)[1]


def read_mask_with_note(
    path: Path, size: tuple[int, int] | None = None, upright: bool = False
) -> tuple[UInt8[np.ndarray, "height width"], str | None]:
    """Read a mask as values from 0 to 255, and return what had to be assumed, if anything.

    Greys are as stored. 1 bit, and values of 0 and 1 only, become 0 and 255; 16 bits are divided by
    257, unless all are below 256. Of greys with alpha, the one of the two that varies is the mask;
    a picture in colours is masked by its alpha. A palette of black and one colour is 0 and 255.
    ``size`` and ``upright`` are as for `read_image`.

    Raises DataError for colours without alpha, for grey and alpha that say different things, and
    for all that `read_image` refuses.
    """
    grey, note = _grey(path)
    return _resampled(grey, path, size, upright), note


def read_object_mask(
    path: Path, size: tuple[int, int] | None = None, upright: bool = False
) -> tuple[UInt8[np.ndarray, "height width"], str | None]:
    """Read a mask as 255 on the object and 0 off it, and return what had to be assumed.

    Pixels above 127 are object. It is said where a noticeable share of the stored pixels is grey:
    soft edges, or the values of labels. Errors and parameters as for `read_mask_with_note`.
    """
    grey, note = _grey(path)
    values = _resampled(grey, path, size, upright)
    return np.where(values > THRESHOLD, 255, 0).astype(np.uint8), note or _grey_note(grey)


def _grey_note(values: UInt8[np.ndarray, "height width"]) -> str | None:
    shown = int((values >= GREY_TOLERANCE).sum())
    between = int(((values >= GREY_TOLERANCE) & (values <= 255 - GREY_TOLERANCE)).sum())
    if between <= NOTICEABLE * shown:
        return None
    used = np.unique(values)
    if len(used) <= LABELS:
        listed = ", ".join(map(str, used.tolist()))
        return f"object masks hold the values {listed}: those above {THRESHOLD} are object"
    share = f"more than {NOTICEABLE:.0%} of the object is neither black nor white"
    return f"object masks are grey: {share}; values above {THRESHOLD} are object"


def _resampled(
    grey: UInt8[np.ndarray, "_ _"], path: Path, size: tuple[int, int] | None, upright: bool
) -> UInt8[np.ndarray, "height width"]:
    image = Image.fromarray(grey)
    if upright:
        image = turn(image, read_header(path).orientation)
    return resample(image, size, path)


def _grey(path: Path) -> tuple[UInt8[np.ndarray, "height width"], str | None]:
    header = read_header(path)
    image = decode(path)
    with opened(path) as stored:
        if is_sixteen_bit(stored) and len(stored.getbands()) == 1:
            values = sixteen_bit_values(stored, path)
            if values is not None and values.max() < 256:
                grey, note = _stretch(values.astype(np.uint8))
                return grey, note or "16-bit values are below 256: taken as 8-bit greys"
    if image.mode in ("1", "L"):
        return _stretch(np.asarray(image.convert("L")))
    pixels = np.asarray(image.convert("RGBA"))
    grey, note = _one_of(pixels[..., :3], pixels[..., 3], path, header.mode == "P")
    stretched, values_note = _stretch(grey)
    return stretched, values_note or note


def _stretch(
    values: Integer[np.ndarray, "height width"],
) -> tuple[UInt8[np.ndarray, "height width"], str | None]:
    if values.max() == 1:
        return values * np.uint8(255), "the values are 0 and 1: 1 is taken as white (255)"
    return values, None


def _one_of(
    colour: UInt8[np.ndarray, "height width 3"],
    alpha: UInt8[np.ndarray, "height width"],
    path: Path,
    palette: bool,
) -> tuple[UInt8[np.ndarray, "height width"], str | None]:
    """Return the grey or the alpha channel, whichever is the mask."""
    grey = np.asarray(Image.fromarray(colour).convert("L"))
    alpha_varies = alpha.min() < alpha.max()
    is_grey = int((colour.max(-1) - colour.min(-1)).max()) <= GREY_TOLERANCE
    if not is_grey and alpha_varies:
        return alpha, "a picture with alpha: the alpha channel is taken as the mask"
    if not is_grey:
        return _two_colours(colour, path, palette)
    if not alpha_varies:
        return grey, None
    if grey.min() == grey.max():
        return alpha, "the grey is constant: the alpha channel is taken as the mask"
    if np.abs(grey.astype(np.int16) - alpha).max() <= GREY_TOLERANCE:
        return grey, None
    found = "grey and alpha channel both vary, and differ"
    raise DataError(path, found, "save the mask as one channel, 0 outside and 255 inside")


def _two_colours(
    colour: UInt8[np.ndarray, "height width 3"], path: Path, palette: bool
) -> tuple[UInt8[np.ndarray, "height width"], str | None]:
    """Return a mask of black and one colour as 0 and 255, if it is stored with a palette."""
    packed = colour.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    used = np.unique(packed)
    if not palette or len(used) != 2 or used[0] != 0:
        found = f"a mask in {len(used)} colours, whose meaning is unknown"
        raise DataError(path, found, "save the mask as grey, 0 outside and 255 inside")
    note = f"black and #{used[1]:06x}: the latter is taken as white (255)"
    return (packed > 0).astype(np.uint8) * 255, note
