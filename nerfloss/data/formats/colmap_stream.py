"""Binary files of counted entries, with the check that every count fits into the file."""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from nerfloss.data.errors import DataError, forbidden

REPLACE = "export the model again (colmap model_converter), or copy it again in full"


class Stream:
    """The bytes of a binary file, with the check that every count fits into what is left."""

    def __init__(self, path: Path) -> None:
        self.path, self.data, self.at = path, file_bytes(path), 0

    def take(self, layout: str) -> tuple[Any, ...]:
        """Return the next values, of a `struct` layout."""
        layout = f"<{layout}"
        if self.at + struct.calcsize(layout) > len(self.data):
            raise self.broken()
        values = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return values

    def count(self, least: int) -> int:
        """Return a stored number of entries, each of at least ``least`` bytes."""
        (count,) = self.take("Q")
        if count * least > len(self.data) - self.at:
            raise self.broken(f"states {count} entries at byte {self.at - 8}, but ")
        return count

    def array(self, dtype: np.dtype) -> np.ndarray:
        """Return a stored number of entries of a type."""
        count = self.count(dtype.itemsize)
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += count * dtype.itemsize
        return values

    def text(self) -> str:
        """Return characters up to the next zero."""
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise self.broken()
        text, self.at = self.data[self.at : end], end + 1
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise DataError(self.path, f"the name {text[:60]!r} is not UTF-8", REPLACE) from error

    def end(self) -> None:
        """Raise DataError for bytes that no entry has taken."""
        if self.at < len(self.data):
            found = f"{len(self.data) - self.at} bytes follow the last entry, at byte {self.at}"
            raise DataError(self.path, found, REPLACE)

    def broken(self, why: str = "") -> DataError:
        """Return the error of a file that is too short."""
        return DataError(self.path, f"{why}it ends after {len(self.data)} bytes", REPLACE)


def file_bytes(path: Path) -> bytes:
    """Return the content of a file. Raises DataError if it cannot be read."""
    try:
        return path.read_bytes()
    except PermissionError as error:
        raise forbidden(path) from error
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})", "check the file") from error
