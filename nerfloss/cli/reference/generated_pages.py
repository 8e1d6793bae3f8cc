"""Written pages: which of them no longer say what they would say now, and writing them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path


def stale_pages(pages: Mapping[str, str], docs: Path, images: str) -> list[str]:
    """Names of the files under ``docs`` that are missing, differ, or should not be there.

    ``pages`` are the texts that there should be, by their names; all plots lie in ``images``.
    """
    there = {f"{images}/{path.name}" for path in (docs / images).glob("*.svg")}
    differing = {name for name, text in pages.items() if not _agrees(docs / name, text)}
    return sorted(differing | (there - pages.keys()))


def write_pages(pages: Mapping[str, str], docs: Path, stale: Sequence[str]) -> None:
    """Write the stale ones of the pages under ``docs``; remove those that are no pages now."""
    for name in stale:
        path = docs / name
        if name in pages:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pages[name])
        else:
            path.unlink()


def _agrees(path: Path, text: str) -> bool:
    """Whether a file says the same; the points of a plot may differ in their last digit."""
    if not path.is_file():
        return False
    found = path.read_text()
    if path.suffix != ".svg":
        return found == text
    number = r"\d+\.\d"
    pairs = zip(re.findall(number, found), re.findall(number, text), strict=False)
    near = all(abs(float(a) - float(b)) < 0.15 for a, b in pairs)
    return near and re.sub(number, "#", found) == re.sub(number, "#", text)
