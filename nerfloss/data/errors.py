"""What a broken data set says: where, what was found there, and what to do about it."""

from pathlib import Path


class DataError(ValueError):
    """Input that cannot be used, named by its path before any training starts."""

    def __init__(self, path: Path | str, found: str, remedy: str) -> None:
        super().__init__(f"{path}: {found}; {remedy}")


def existing(path: str | Path | None, holds: str) -> Path:
    """The folder or file that a setting names.

    ``holds`` completes "where ... is": it tells the reader what was looked for. Raises DataError
    where the setting is empty or nothing lies at the path.
    """
    if path is None or str(path) == "":
        raise DataError("dataset.path", "not set", f"set dataset.path=<folder> to where {holds} is")
    place = Path(path).expanduser()
    if not place.exists():
        remedy = f"set dataset.path to where {holds} is (data/README.md says how to get scenes)"
        raise DataError(place, "no such file or folder", remedy)
    return place
