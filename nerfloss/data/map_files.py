"""Read the arrays in files of depth and normal maps: npy, npz, exr, pfm, COLMAP's bin, images."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nerfloss.data.errors import DataError
from nerfloss.data.image_headers import MODES, is_sixteen_bit, opened, unreadable
from nerfloss.data.image_reading import sixteen_bit_values

MAP_ENDINGS = (".png", ".npy", ".npz", ".exr", ".tif", ".tiff", ".pfm", ".bin")
STORE = "store it as PNG of 16 bits, npy, npz, exr or tiff"
MAP_MODES = (*MODES, "I", "F")
PFM = re.compile(rb"(PF|Pf)\s+(\d{1,6})\s+(\d{1,6})\s+([-+\d.eE]{1,30})\s")
COLMAP = re.compile(rb"(\d{1,6})&(\d{1,6})&(\d{1,2})&")


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a map file by name; a file of one array has the name "".

    The kind of file is recognised by its first bytes. The names of an exr are those of its
    channels. Raises DataError if the file is missing, truncated, corrupt or of another kind, or
    holds anything but real numbers.
    """
    if not path.is_file():
        raise DataError(path, "no such map", "restore the file, or drop it from the list of views")
    try:
        arrays = _arrays(path)
    except DataError:
        raise
    except Exception as error:  # Decoders raise anything for corrupt bytes.
        raise unreadable(path, error) from error
    for name, array in arrays.items():
        if array.dtype.kind not in "uif" or array.size == 0:
            found = f"array {name or 'of the file'} has type {array.dtype}, shape {array.shape}"
            raise DataError(path, found, "it must hold real numbers, one or three per pixel")
    return arrays


def array_names(path: Path) -> list[str]:
    """Return the names of the arrays of an npz or exr, which are not decoded; empty for others."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head == b"PK\x03\x04":
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return list(stored.files)
        if head == b"\x76\x2f\x31\x01":
            import OpenEXR  # pyright: ignore[reportMissingImports]

            with OpenEXR.File(str(path), separate_channels=True, header_only=True) as file:
                return [channel.name for channel in file.header()["channels"]]
    except Exception:  # Decoders raise anything for corrupt bytes; `read_arrays` says so.
        return []
    return []


def pick_array(arrays: dict[str, np.ndarray], names: tuple[str, ...], path: Path) -> np.ndarray:
    """Return the only array, or the first of the given names.

    Their case does not matter, nor do layers of an exr before a name of several letters
    (``ViewLayer.Depth.Z`` is ``depth.z``). Raises DataError, listing what is there, if none of
    several arrays has such a name, or one name fits several.
    """
    for name in names:
        fits = [each for each in arrays if _names(each.lower(), name)]
        if len(fits) == 1:
            return arrays[fits[0]]
        if fits:
            found = f"holds {', '.join(sorted(fits))}, of which one is needed"
            raise DataError(path, found, "store one of them")
    if len(arrays) != 1:
        listed = ", ".join(sorted(arrays)) or "no array"
        raise DataError(path, f"holds {listed}", f"store one array, or name it {names[0]}")
    return next(iter(arrays.values()))


def _names(stored: str, name: str) -> bool:
    return stored == name or (len(name) > 1 and stored.endswith("." + name))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        head = file.read(128)
    if head.startswith((b"\x93NUMPY", b"PK\x03\x04", b"PK\x05\x06")):
        with path.open("rb") as file:
            stored = np.load(file, allow_pickle=False)
            return {"": stored} if isinstance(stored, np.ndarray) else dict(stored)
    if head.startswith(b"\x76\x2f\x31\x01"):
        return _exr(path)
    if match := PFM.match(head):
        kind, width, height, scale = match.groups()
        order = "<f4" if float(scale) < 0 else ">f4"
        values = np.frombuffer(path.read_bytes(), order, offset=match.end())
        channels = 3 if kind == b"PF" else 1
        # The last row comes first.
        return {"": values.reshape(int(height), int(width), channels)[::-1]}
    if match := COLMAP.match(head):
        width, height, channels = map(int, match.groups())
        values = np.frombuffer(path.read_bytes(), "<f4", offset=match.end())
        return {"": values.reshape(channels, height, width).transpose(1, 2, 0)}
    return {"": _image(path)}


def _image(path: Path) -> np.ndarray:
    """Return the values of an image as stored: 8 bits, 16 bits, 32-bit integers or floats."""
    with opened(path, MAP_MODES) as image:
        if image.format not in ("PNG", "TIFF"):
            raise DataError(path, f"a map stored as {image.format}", STORE)
        if image.format == "PNG":
            # Decoding does not compare the checksums.
            image.verify()
    with opened(path, MAP_MODES) as image:
        if is_sixteen_bit(image) and not (image.mode == "I" and image.format == "TIFF"):
            values = sixteen_bit_values(image, path)
            return np.asarray(image) if values is None else values
        if image.mode not in ("L", "LA", "RGB", "RGBA", "I", "F"):
            raise DataError(path, f"pixel format {image.mode}", STORE)
        return np.asarray(image)


def _exr(path: Path) -> dict[str, np.ndarray]:
    try:
        import OpenEXR  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        remedy = "pip install 'nerfloss[exr]', or convert it to npy"
        raise DataError(path, "EXR, which needs the package OpenEXR", remedy) from error
    with OpenEXR.File(str(path), separate_channels=True) as file:
        header, channels = file.header(), file.channels()
        return {
            name: _in_display_window(np.array(channel.pixels), header, path)
            for name, channel in channels.items()
        }


def _in_display_window(pixels: np.ndarray, header: Mapping[str, Any], path: Path) -> np.ndarray:
    """Return a channel in the size of the image, 0 where a cropped file stores no pixels."""
    data, display = (np.array(header[name], np.int64) for name in ("dataWindow", "displayWindow"))
    width, height = display[1] - display[0] + 1
    if np.array_equal(data, display):
        return pixels
    left, top = data[0] - display[0]
    rows, columns = pixels.shape[:2]
    if min(left, top) < 0 or left + columns > width or top + rows > height:
        found = f"pixels {data.tolist()} beyond the image {display.tolist()}"
        raise DataError(path, found, "store it with equal data and display windows")
    image = np.zeros((height, width, *pixels.shape[2:]), pixels.dtype)
    image[top : top + rows, left : left + columns] = pixels
    return image
