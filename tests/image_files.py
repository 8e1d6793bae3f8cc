"""Files of images and maps that tests write: kinds that no library here writes."""

import struct
import zlib
from pathlib import Path

import numpy as np

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # of a PNG, by its number of channels


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png16(path: Path, values: np.ndarray, *chunks: tuple[bytes, bytes]) -> Path:
    """Write a PNG of 16 bits per channel; ``chunks`` come before the pixels."""
    values = values.reshape(*values.shape[:2], -1)
    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPES[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts))
    return path


def write_exr(path: Path, channels: dict[str, np.ndarray], **more: object) -> Path:
    """Write an OpenEXR file, with ``more`` in its header; needs its package."""
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **more}
    with OpenEXR.File(header, channels) as file:
        file.write(str(path))
    return path


def mutate(content: bytes, kind: str, at: float, noise: bytes) -> bytes:
    """Return a broken copy of a file: cut off, overwritten or extended at a fraction of it."""
    place = int(at * len(content))
    if kind == "cut":
        return content[:place]
    if kind == "overwritten":
        return content[:place] + noise + content[place + len(noise) :]
    return content[:place] + noise + content[place:]
