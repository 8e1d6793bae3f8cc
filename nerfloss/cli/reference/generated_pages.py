"""Find generated pages that are out of date, and write them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path


def stale_pages(pages: Mapping[str, str], docs: Path, images: str) -> list[str]:
    """Return the names of files under ``docs`` that are missing, differ, or should not exist.

    ``pages`` are the expected texts by file name; all plots are in the folder ``images``.
    """
    there = {f"{images}/{path.name}" for path in (docs / images).glob("*.svg")}
    differing = {name for name, text in pages.items() if not _agrees(docs / name, text)}
    return sorted(differing | (there - pages.keys()))


def write_pages(pages: Mapping[str, str], docs: Path, stale: Sequence[str]) -> None:
    """Write the pages in ``stale`` under ``docs``; remove those that are not generated now."""
    for name in stale:
        path = docs / name
        if name in pages:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pages[name])
        else:
            path.unlink()


def _agrees(path: Path, text: str) -> bool:
    """Tell whether a file has this text; points of a plot may differ in their last digit."""
    if not path.is_file():
        return False
    found = path.read_text()
    if path.suffix != ".svg":
        return found == text
    number = r"\d+\.\d"
    pairs = zip(re.findall(number, found), re.findall(number, text), strict=False)
    near = all(abs(float(a) - float(b)) < 0.15 for a, b in pairs)
    return near and re.sub(number, "#", found) == re.sub(number, "#", text)
