"""Errors of broken or missing input data."""

import os
from pathlib import Path


class DataError(ValueError):
    """Unusable input: its path, the problem, and the remedy."""

    def __init__(self, path: Path | str, found: str, remedy: str) -> None:
        super().__init__(f"{path}: {found}; {remedy}")


def forbidden(path: Path | str) -> DataError:
    """Return the error of a file or folder that this user may not read."""
    remedy = f"give yourself the right to read it (chmod -R u+rX {path}), or copy it"
    return DataError(path, "may not be read (permission denied)", remedy)


def existing(path: str | int | float | Path | None, holds: str) -> Path:
    """Return the folder or file that ``dataset.path`` names.

    A number is the name of a folder (``dataset.path=65``). ``holds`` describes the expected content
    in the message. Raises DataError if the setting is empty or no path, or the path does not exist
    or may not be read.
    """
    if path is None or str(path) == "":
        raise DataError("dataset.path", "not set", f"set dataset.path=<folder> to where {holds} is")
    if not isinstance(path, str | int | float | Path):
        raise DataError("dataset.path", f"{path} is no path", "set dataset.path=<folder>")
    place = Path(str(path)).expanduser()
    try:
        there = place.exists()
        if place.is_dir():
            os.scandir(place).close()
    except PermissionError as error:
        raise forbidden(place) from error
    if not there:
        remedy = f"set dataset.path to where {holds} is (data/README.md says how to get scenes)"
        raise DataError(place, "no such file or folder", remedy)
    return place
