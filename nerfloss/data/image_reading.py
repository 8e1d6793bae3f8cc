"""Decode one image file into 8-bit pixels of given channels, orientation and size."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageCms
from scipy.sparse import csr_array

from nerfloss.data.errors import DataError
from nerfloss.data.image_headers import SIXTEEN_BITS, is_sixteen_bit, opened, read_header

# What makes an image upright, by its EXIF orientation.
TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Rows of a result computed at once: bounds the memory of the floats.
BAND = 64


def read_image(
    path: Path, channels: str, size: tuple[int, int] | None = None, upright: bool = False
) -> UInt8[np.ndarray, "height width *channel"]:
    """Read an image as 8-bit values in the channels of "RGB", "RGBA" (straight) or "L" (grey).

    ``upright`` applies the EXIF orientation. ``size`` is the width and height of the result, after
    that: pixels are averaged over the area that each covers, colours weighted by alpha; for whole
    ratios as `PIL.Image.Image.reduce`. An image without alpha has alpha 255. 16 bits are divided by
    257 and rounded, CMYK is converted by its profile (`conversion_note` says so).

    Raises DataError, with the path, for an image that is truncated, corrupt, animated, in a format
    that is refused (see `read_header`), or smaller than ``size``.
    """
    image = decode(path)
    if upright:
        image = turn(image, read_header(path).orientation)
    return resample(image.convert(channels), size, path)


def decode(path: Path) -> Image.Image:
    """Decode an image into mode 1, L, LA, RGB or RGBA, as it is stored."""
    header = read_header(path)
    if header.frames > 1:
        found = f"an animation or several pages ({header.frames} frames)"
        raise DataError(path, found, "extract one frame, or drop it from the list of views")
    with opened(path) as image:
        if image.format == "PNG":
            # Decoding does not compare the checksums.
            image.verify()
    with opened(path) as image:
        if is_sixteen_bit(image):
            return _round_to_eight_bits(image, path)
        if image.mode == "CMYK":
            return _cmyk_to_rgb(image, path)
        if image.mode in ("P", "PA", "RGBa", "La") or image.has_transparency_data:
            alpha = image.has_transparency_data
            return image.convert("RGBA" if alpha or image.mode == "PA" else "RGB")
        image.load()
        return image if image.mode in ("1", "L") else image.convert("RGB")


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """Return the image upright, given its EXIF orientation."""
    return image.transpose(TRANSPOSE[orientation]) if orientation in TRANSPOSE else image


def resample(
    image: Image.Image, size: tuple[int, int] | None, path: Path
) -> UInt8[np.ndarray, "height width *channel"]:
    """Return the pixels, averaged to ``size``. Raises DataError if the image is smaller."""
    if size is None or size == image.size:
        return np.asarray(image)
    if size[0] > image.width or size[1] > image.height or min(size) < 1:
        found = f"{image.width} x {image.height} pixels, where {size[0]} x {size[1]} are expected"
        raise DataError(path, found, "images are never enlarged: give the larger file")
    if image.width % size[0] == 0 and image.height % size[1] == 0:
        return np.asarray(image.reduce((image.width // size[0], image.height // size[1])))
    return area_average(np.asarray(image), size)


def area_average(
    pixels: UInt8[np.ndarray, "height width *channel"], size: tuple[int, int]
) -> UInt8[np.ndarray, "new_height new_width *channel"]:
    """Average pixels over the area that each of a smaller image covers; ratios need not be whole.

    The last of four channels is alpha, which weights the others; their values are 0 where it is 0.
    """
    (width, height), (rows, columns) = size, pixels.shape[:2]
    down, across = _overlaps(rows, height), _overlaps(columns, width)
    alpha = pixels.shape[2:] == (4,)
    result = np.empty((height, width, *pixels.shape[2:]), np.uint8)
    for top in range(0, height, BAND):
        bottom = min(top + BAND, height)
        first, last = top * rows // height, -(-bottom * rows // height)
        band = pixels[first:last].reshape(last - first, columns, -1).astype(np.float32)
        if alpha:
            band[..., :3] *= band[..., 3:]
        band = down[top:bottom, first:last] @ band.reshape(last - first, -1)
        band = band.reshape(bottom - top, columns, -1).transpose(1, 0, 2)
        band = (across @ band.reshape(columns, -1)).reshape(width, bottom - top, -1)
        if alpha:
            # A smallest alpha: all weights are 0 there, and so is the colour.
            band[..., :3] /= np.maximum(band[..., 3:], 1e-6)
        rounded = np.floor(band + 0.5).clip(0, 255).transpose(1, 0, 2)
        result[top:bottom] = rounded.reshape(result[top:bottom].shape)
    return result


def _overlaps(old: int, new: int) -> csr_array:
    """Return the weights (new, old) of the pixels of a line in those of a shorter line."""
    # In units of 1 / (old * new) of the line, the bounds of all pixels are whole numbers.
    bounds = np.union1d(np.arange(new + 1) * old, np.arange(old + 1) * new)
    weights = (np.diff(bounds) / old).astype(np.float32)
    return csr_array((weights, (bounds[:-1] // old, bounds[:-1] // new)), shape=(new, old))


def _round_to_eight_bits(image: Image.Image, path: Path) -> Image.Image:
    """Return an image of 16 bits per channel as 8 bits: value / 257, rounded."""
    key, values = image.info.get("transparency"), sixteen_bit_values(image, path)
    if values is None:
        return image.convert(image.mode)  # the high bytes: less than one level too dark
    rounded = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if key is None:
        return Image.fromarray(rounded)
    # One colour is transparent: compare it before any bits are lost.
    opaque = (values != np.asarray(key)).reshape(*values.shape[:2], -1).any(-1)
    colour = Image.fromarray(rounded).convert("RGB")
    colour.putalpha(Image.fromarray(opaque.astype(np.uint8) * 255))
    return colour


def sixteen_bit_values(image: Image.Image, path: Path) -> np.ndarray | None:
    """Return the 16-bit values of an opened image, None where Pillow offers the high bytes only."""
    if image.mode == "I" or image.mode in SIXTEEN_BITS:
        return np.asarray(image).astype(np.int64).clip(0, 65535).astype(np.uint16)
    with opened(path) as again:
        codec, box, offset, raw = again.tile[0]  # pyright: ignore[reportAttributeAccessIssue]
        if again.format != "PNG" or raw not in ("RGB;16B", "RGBA;16B"):
            return None
        # Read as if it were little-endian, the high byte is the low one.
        tile = (codec, box, offset, raw.replace(";16B", ";16L"))
        again.tile = [tile]  # pyright: ignore[reportAttributeAccessIssue]
        low = np.asarray(again)
    return np.asarray(image).astype(np.uint16) * 256 + low


def _cmyk_to_rgb(image: Image.Image, path: Path) -> Image.Image:
    profile = image.info.get("icc_profile")
    if not profile:
        return image.convert("RGB")
    try:
        source, target = (
            ImageCms.getOpenProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
        )
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError) as error:
        found = f"CMYK with a colour profile that cannot be used ({error})"
        raise DataError(path, found, "convert it to RGB") from error
    return converted or image.convert("RGB")
