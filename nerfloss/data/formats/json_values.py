"""Typed values of a JSON file: numbers, texts and lists, with errors that name the key."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nerfloss.data.errors import DataError, forbidden
from nerfloss.data.formats.image_paths import is_file

Values = Mapping[str, Any]


def read_json(path: Path, content: str) -> dict[str, Any]:
    """Read a file that holds one JSON object; ``content`` describes what should be there.

    Any Unicode encoding, with or without a byte order mark. Raises DataError for a missing file,
    text that is not JSON, and any other value than an object.
    """
    if not is_file(path):
        raise DataError(path, "no such file", f"dataset.path must be {content}")
    try:
        value = json.loads(path.read_bytes())
    except PermissionError as error:
        raise forbidden(path) from error
    except (OSError, ValueError, RecursionError) as error:
        found = f"not JSON that can be read ({error})"
        raise DataError(path, found, "repair the file or write it again") from error
    if not isinstance(value, dict):
        raise DataError(path, f"holds a {type(value).__name__}, not an object", f"give {content}")
    return value


def as_number(value: Any) -> float | None:
    """Return a finite number, also if it is written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def number(values: Values, key: str, path: Path, where: str) -> float | None:
    """Return the number of a key, None if it is not there.

    Raises DataError, with ``where`` it stands, for what is no finite number.
    """
    if key not in values:
        return None
    result = as_number(values[key])
    if result is None:
        found = f"{key} of {where} is {shown(values[key])}, not a finite number"
        raise DataError(path, found, "repair or remove the entry")
    return result


def whole_number(values: Values, key: str, path: Path, where: str) -> int | None:
    """Return the whole number of at least 1 of a key, None if it is not there."""
    value = number(values, key, path, where)
    if value is None:
        return None
    if value != int(value) or not 1 <= value <= 1_000_000:
        found = f"{key} of {where} is {shown(values[key])}, not a number of pixels"
        raise DataError(path, found, "repair the entry")
    return int(value)


def text(values: Values, key: str, path: Path, where: str) -> str | None:
    """Return the text of a key, None if it is missing, null or empty."""
    value = values.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        found = f"{key} of {where} is {shown(value)}, not a text"
        raise DataError(path, found, "repair or remove the entry")
    return value


def texts(values: Values, key: str, path: Path) -> list[str] | None:
    """Return the list of texts of a key, None if it is missing or null."""
    value = values.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        found = f"{key} is {shown(value)}, not a list of names"
        raise DataError(path, found, "repair or remove the entry")
    return value


def objects(values: Values, key: str, path: Path) -> list[dict[str, Any]]:
    """Return the list of objects of a key. Raises DataError unless there is at least one."""
    value = values.get(key)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        found = f"{key} is {shown(value)}, not a list of objects" if key in values else f"no {key}"
        raise DataError(path, found, f"it needs a list {key!r} with an object for each view")
    if not value:
        raise DataError(path, "lists no views", f"{key} needs at least one entry")
    return value


def shown(value: Any) -> str:
    """Return a value as it stands in the file, shortened."""
    try:
        written = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        written = type(value).__name__
    return written if len(written) <= 60 else written[:57] + "..."


def some(names: list[str], most: int = 5) -> str:
    """Return the first names of a list, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
