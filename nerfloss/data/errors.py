"""Errors of broken or missing input data."""

from pathlib import Path


class DataError(ValueError):
    """Unusable input: its path, the problem, and the remedy."""

    def __init__(self, path: Path | str, found: str, remedy: str) -> None:
        super().__init__(f"{path}: {found}; {remedy}")


def existing(path: str | int | float | Path | None, holds: str) -> Path:
    """Return the folder or file that ``dataset.path`` names.

    A number is the name of a folder (``dataset.path=65``). ``holds`` describes the expected content
    in the message. Raises DataError if the setting is empty or no path, or the path does not exist.
    """
    if path is None or str(path) == "":
        raise DataError("dataset.path", "not set", f"set dataset.path=<folder> to where {holds} is")
    if not isinstance(path, str | int | float | Path):
        raise DataError("dataset.path", f"{path} is no path", "set dataset.path=<folder>")
    place = Path(str(path)).expanduser()
    if not place.exists():
        remedy = f"set dataset.path to where {holds} is (data/README.md says how to get scenes)"
        raise DataError(place, "no such file or folder", remedy)
    return place
