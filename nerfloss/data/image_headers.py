"""Open image files and read their headers; what cannot be read is refused by name."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from nerfloss.data.errors import DataError

# Formats whose decoders are part of Pillow or a package; no others are tried on unknown bytes.
SEQUENCES = ("PNG", "GIF", "WEBP", "TIFF", "AVIF")
FORMATS = (*SEQUENCES, "JPEG", "MPO", "BMP", "PPM", "JPEG2000", "HEIF")
# Their decoders rotate the pixels themselves.
TURNED_BY_DECODER = ("TIFF", "HEIF")
SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
GREYS, COLOURS = ("1", "L", "LA", "La"), ("RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
MODES = (*GREYS, "P", "PA", *COLOURS, *SIXTEEN_BITS)
RAW = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
ORIENTATION = 0x0112
TO_PNG = "convert it to an 8-bit PNG or JPEG"


@dataclass(frozen=True)
class ImageHeader:
    """The header of an image file: size in pixels as stored, before any rotation.

    ``mode`` is Pillow's name of the pixel format, ``bits`` the bits per channel in the file.
    ``orientation`` is the EXIF tag, 1 to 8; 1 where the file has none. ``frames`` is more than 1
    for an animation or a file of several pages.
    """

    width: int
    height: int
    mode: str
    has_alpha: bool
    orientation: int = 1
    frames: int = 1
    bits: int = 8

    @property
    def upright_size(self) -> tuple[int, int]:
        """Return width and height after the rotation that ``orientation`` asks for."""
        turned = self.orientation >= 5
        return (self.height, self.width) if turned else (self.width, self.height)


def read_header(path: Path) -> ImageHeader:
    """Read the header of an image without decoding its pixels.

    Raises DataError if the file is missing, not an image, empty, or in a format that is refused:
    32-bit integers or floats, raw photographs, HEIC without its package, more pixels than Pillow
    accepts.
    """
    with opened(path) as image:
        sequence: Any = image
        return ImageHeader(
            *_decoded_size(image),
            image.mode,
            image.has_transparency_data,
            _orientation(image, path),
            sequence.n_frames if image.format in SEQUENCES else 1,
            16 if is_sixteen_bit(image) else 8,
        )


def conversion_note(header: ImageHeader) -> str | None:
    """Return what reading the image as 8-bit colours loses or assumes, None if nothing."""
    if header.bits > 8:
        return "16 bits per channel are rounded to 8"
    if header.mode == "CMYK":
        return "CMYK is converted to RGB, by the colour profile where the file has one"
    if header.mode in ("RGBa", "La"):
        return "colours are divided by the alpha channel"
    return None


@contextmanager
def opened(path: Path, modes: Sequence[str] = MODES) -> Iterator[Image.Image]:
    """Open an image for reading or decoding; any failure inside the block is a DataError.

    ``modes`` are the pixel formats that the caller can use.
    """
    try:
        _refuse_by_content(path)
        Image.init()
        known = [name for name in FORMATS if name in Image.OPEN]
        with Image.open(path, formats=known) as image:
            _check_opened(image, path, modes)
            yield image
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(path, "not an image that can be read", "replace the file") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(path, f"too many pixels ({error})", "make it smaller") from error
    except Exception as error:  # Decoders raise anything for corrupt bytes.
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> DataError:
    """Return the error of a file that could not be read, by what went wrong."""
    if isinstance(error, MemoryError):
        return DataError(path, "does not fit into memory", "make it smaller, or replace the file")
    if isinstance(error, OSError) and error.errno is not None:
        return DataError(path, f"cannot be read ({error.strerror})", "check the file and its disk")
    found = f"truncated or corrupt ({str(error) or type(error).__name__})"
    return DataError(path, found, "replace the file")


def is_sixteen_bit(image: Image.Image) -> bool:
    """Return True if the file has 16 bits per channel; Pillow reads such colours as 8 bits.

    Call it before the pixels are loaded.
    """
    if image.mode == "I" or image.mode in SIXTEEN_BITS:
        return True
    raw = image.tile[0][3] if image.tile else ""  # pyright: ignore[reportAttributeAccessIssue]
    return ";16" in str(raw[0] if isinstance(raw, tuple) and raw else raw)


def _check_opened(image: Image.Image, path: Path, modes: Sequence[str]) -> None:
    if image.width < 1 or image.height < 1:
        raise DataError(path, f"{image.width} x {image.height} pixels", "replace the file")
    # Pillow reads 16-bit greys of these two formats as 32-bit integers.
    if image.mode not in modes and not (image.mode == "I" and image.format in ("PNG", "PPM")):
        names = {"F": "32-bit floats", "I": "32-bit integers"}
        found = f"pixel format {names.get(image.mode, image.mode)}, not 8 or 16 bits per channel"
        raise DataError(path, found, "convert it to 8 bits per channel")
    tags: Any = image
    # The first picture in the TIFF container of a raw photograph is its thumbnail.
    if image.format == "TIFF" and (50706 in tags.tag_v2 or tags.tag_v2.get(254) == 1):
        raise DataError(path, "a raw photograph or a thumbnail, not an image", TO_PNG)


def _refuse_by_content(path: Path) -> None:
    """Raise DataError for files that are no images that can be read here, by what they are."""
    if not path.is_file():
        remedy = "restore the file, or drop it from the list of views"
        raise DataError(path, "no such image", remedy)
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise DataError(path, "empty, 0 bytes", "replace the file")
    if head.startswith(b"version https://git-lfs"):
        raise DataError(path, "a pointer of Git LFS, not the image", "run git lfs pull")
    if head.startswith((b"\x76\x2f\x31\x01", b"#?RADIANCE", b"#?RGBE")):
        raise DataError(path, "an image of 32-bit floats (EXR or HDR), without a white", TO_PNG)
    if path.suffix.lower() in RAW:
        raise DataError(path, "a raw photograph", TO_PNG)
    if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS and b"avif" not in head:
        register_heif(path)


def register_heif(path: Path) -> None:
    """Let pillow read HEIC. Raises DataError, with the path, if pillow-heif is not installed."""
    try:
        import pillow_heif  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        remedy = "pip install 'nerfloss[heic]', or convert it to JPEG"
        raise DataError(path, "HEIC, which needs the package pillow-heif", remedy) from error
    pillow_heif.register_heif_opener()


def _decoded_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height of the pixels; older releases of Pillow turn a TIFF when decoding."""
    tags: Any = image
    if image.format != "TIFF":
        return image.size
    width, height = tags.tag_v2[256], tags.tag_v2[257]
    return (height, width) if tags.tag_v2.get(ORIENTATION, 1) in (5, 6, 7, 8) else (width, height)


def _orientation(image: Image.Image, path: Path) -> int:
    """Return the EXIF orientation, 1 if there is none or it is no number from 1 to 8."""
    if image.format in TURNED_BY_DECODER:
        return 1
    exif = Image.Exif()
    if image.format == "PNG" and "exif" not in image.info:
        # Pillow would decode the pixels to look behind them.
        exif.load(_late_exif(path))
    else:
        try:
            exif = image.getexif()
        except Exception:  # Corrupt EXIF data do not make the image unreadable.
            return 1
    value = exif.get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _late_exif(path: Path) -> bytes:
    """Return the chunk eXIf of a PNG, wherever it is; empty if there is none."""
    with path.open("rb") as file:
        file.seek(8)
        while len(start := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", start)
            if kind == b"eXIf":
                return file.read(length)
            file.seek(length + 4, 1)
    return b""
