"""Find views by the names that a user writes."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_paths import without_ending


def find_views(names: Sequence[str], wanted: Iterable[str], path: Path | str) -> list[int]:
    """Return the index of the view that each name means.

    A name is the view's, with or without the ending of an image; else more or fewer of the folders
    above it (``image/a/007.png`` for ``a/007``); else its last part, if only one view has that.
    Raises DataError, with the ``path`` of the list, for an unknown name and for one that several
    views have.
    """
    known = {name: index for index, name in enumerate(names)}
    by_last: dict[str, list[str]] = {}
    for name in names:
        by_last.setdefault(PurePosixPath(name).name, []).append(name)
    return [known[_name_of(text, known, by_last, path)] for text in wanted]


def _name_of(
    text: str, known: dict[str, int], by_last: dict[str, list[str]], path: Path | str
) -> str:
    plain = str(PurePosixPath(text.strip().replace("\\", "/")))
    spellings = dict.fromkeys([plain, without_ending(plain)])
    for spelling in spellings:
        if spelling in known:
            return spelling
    for spelling in spellings:
        same = by_last.get(PurePosixPath(spelling).name, [])
        fitting = [name for name in same if _one_ends_the_other(spelling, name)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            found = f"{text.strip()!r} is the name of several views: {_listed(fitting)}"
            raise DataError(path, found, "write the folder, too")
    found = f"no view has the name {text.strip()!r}"
    return _refuse(found, without_ending(plain), list(known), path)


def _refuse(found: str, wanted: str, names: list[str], path: Path | str) -> str:
    close = difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)
    remedy = f"close to it: {_listed(close)}; " if close else ""
    raise DataError(path, found, f"{remedy}the names are {_listed(names)}")


def _one_ends_the_other(one: str, other: str) -> bool:
    """Return True if the parts of one path are the last parts of the other."""
    first, second = PurePosixPath(one).parts, PurePosixPath(other).parts
    length = min(len(first), len(second))
    return first[-length:] == second[-length:]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
