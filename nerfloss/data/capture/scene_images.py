"""The images of a captured scene, and the copies in which features are searched."""

import io
import os
import shutil
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from nerfloss.data.capture.camera_groups import CameraGroup
from nerfloss.data.capture.photographs import Photograph
from nerfloss.data.errors import DataError
from nerfloss.files import atomic_write

_KEPT = (".jpg", ".jpeg", ".png")
_KEPT_MODES = ("L", "RGB", "RGBA")


def planned_image(photograph: Photograph, max_size: int) -> Photograph:
    """Return the photograph as it will be in the scene: no longer than ``max_size``, upright.

    A name whose ending is no PNG or JPEG gets ``.png`` or ``.jpg`` appended. 0: no limit of size.
    """
    longest = max(photograph.width, photograph.height)
    scale = min(1.0, max_size / longest) if max_size else 1.0
    width, height = (max(1, round(n * scale)) for n in (photograph.width, photograph.height))
    ending = PurePosixPath(photograph.name).suffix.lower()
    lossless = ending in (".tif", ".tiff", ".bmp", ".webp")
    name = photograph.name
    if ending not in _KEPT:
        name += ".png" if lossless else ".jpg"
    return replace(photograph, name=name, width=width, height=height)


def write_image(source: Photograph, planned: Photograph, to: Path) -> None:
    """Write one image of the scene; a file that can stay as it is is copied byte by byte.

    Raises DataError if the photograph is truncated or corrupt.
    """
    try:
        with Image.open(source.path) as image:
            plain = image.mode in _KEPT_MODES and to.suffix.lower() in _KEPT
            same = (source.width, source.height) == (planned.width, planned.height)
            image.load()
            if plain and same and not source.turned and source.name == planned.name:
                content = source.path.read_bytes()
            else:
                content = _encoded(image, (planned.width, planned.height), to.suffix.lower())
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        found = f"truncated or corrupt ({error})"
        raise DataError(source.path, found, "replace the file, or take it out") from error
    atomic_write(to, content)


def _encoded(image: Image.Image, size: tuple[int, int], ending: str) -> bytes:
    """Return an upright image of 8 bits, resampled to a size, as the bytes of a file."""
    upright = ImageOps.exif_transpose(image)
    pixels = to_eight_bits(upright)
    if pixels.size != size:
        pixels = pixels.resize(size, Image.Resampling.LANCZOS)
    if ending in (".jpg", ".jpeg") and pixels.mode == "RGBA":
        pixels = pixels.convert("RGB")
    target = io.BytesIO()
    if ending == ".png":
        pixels.save(target, "PNG", compress_level=3)
    else:
        pixels.save(target, "JPEG", quality=95, subsampling=0)
    return target.getvalue()


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Return an image in L, RGB or RGBA. 16-bit grey is scaled by its type, not by its values."""
    if image.mode.startswith("I"):
        array = np.asarray(image).astype(np.int64)
        return Image.fromarray((array.clip(0, 65535) / 257).round().astype(np.uint8))
    if image.mode in _KEPT_MODES:
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def write_search_copy(image: Path, group: CameraGroup, to: Path) -> tuple[int, int]:
    """Write the copy in which features are searched; return its padding on the left and the top.

    It is enlarged by the group's factor, and padded about the centre by repeating its border, so
    that all images of a camera have one size. Where nothing changes it is a link.
    """
    with Image.open(image) as opened:
        size = opened.size
        left = (group.canvas[0] - size[0] * group.factor) // 2
        top = (group.canvas[1] - size[1] * group.factor) // 2
        if to.exists():
            return left, top
        if size == group.canvas:
            _link(image, to)
            return left, top
        large = opened.convert("RGB").resize(
            (size[0] * group.factor, size[1] * group.factor), Image.Resampling.BICUBIC
        )
    right = group.canvas[0] - large.width - left
    bottom = group.canvas[1] - large.height - top
    padded = np.pad(np.asarray(large), ((top, bottom), (left, right), (0, 0)), mode="edge")
    target = io.BytesIO()
    Image.fromarray(padded).save(target, "PNG", compress_level=1)
    atomic_write(to, target.getvalue())
    return left, top


def _link(image: Path, to: Path) -> None:
    try:
        os.link(image, to)
    except OSError:  # another file system, or one without hard links
        unfinished = to.with_name(to.name + ".unfinished")
        shutil.copyfile(image, unfinished)
        os.replace(unfinished, to)
