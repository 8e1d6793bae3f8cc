"""List images in natural order, and pair two lists by names or by numbers."""

import re
from collections.abc import Sequence
from pathlib import Path

from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_paths import IMAGE_ENDINGS, without_ending


def list_images(folder: Path) -> list[Path]:
    """Return the images of a folder in natural order (2 before 10).

    Hidden files are left out. Raises DataError for a folder that cannot be read, and for files that
    differ in their ending only.
    """
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise DataError(folder, f"cannot be read ({error.strerror})", "check it") from error
    images = [
        path
        for path in entries
        if path.suffix.lower() in IMAGE_ENDINGS and not path.name.startswith(".") and path.is_file()
    ]
    images.sort(key=natural_key)
    names: dict[str, Path] = {}
    for image in images:
        other = names.setdefault(without_ending(image.name), image)
        if other != image:
            found = f"{other.name} and {image.name} have one name"
            raise DataError(folder, found, "keep one of them")
    return images


def natural_key(path: Path) -> tuple[list[tuple[bool, int, str]], str]:
    """Return a key that sorts names by the numbers in them."""
    parts = re.split(r"([0-9]+)", without_ending(path.name))
    # Text and numbers are never compared with each other.
    key = [(i % 2 == 1, int(part) if i % 2 else 0, part) for i, part in enumerate(parts)]
    return [(number, value, "" if number else part) for number, value, part in key], path.name


def pair_by_name_or_number(
    images: Sequence[Path], others: Sequence[Path]
) -> tuple[dict[int, Path], str | None]:
    """Return the file that belongs to each image, by its index, and what had to be assumed.

    Files belong to the image of their name without ending (``a.png`` or ``a.jpg.png`` to
    ``a.jpg``). Where no name is that of an image, they belong to the image of the same number.
    Files and images without a partner are left out.
    """
    by_name = {without_ending(other.name): other for other in reversed(others)}
    pairs = {}
    for index, image in enumerate(images):
        other = by_name.get(without_ending(image.name)) or by_name.get(image.name)
        if other is not None:
            pairs[index] = other
    if pairs:
        return pairs, None
    keys, other_keys = varying_numbers(images), varying_numbers(others)
    if len(set(keys)) < len(keys) or len(set(other_keys)) < len(other_keys):
        return {}, None
    by_number = dict(zip(other_keys, others, strict=True))
    pairs = {index: by_number[key] for index, key in enumerate(keys) if key in by_number}
    if not pairs:
        return {}, None
    first = min(pairs)
    example = f"{pairs[first].name} for {images[first].name}"
    return pairs, f"masks are paired with images by the numbers in their names ({example})"


def varying_numbers(paths: Sequence[Path]) -> list[tuple[int, ...]]:
    """Return the numbers in each name that are not the same in all names."""
    found = [tuple(map(int, re.findall(r"[0-9]+", without_ending(p.name)))) for p in paths]
    if len({len(numbers) for numbers in found}) > 1:
        return [numbers[-1:] for numbers in found]
    varying = [len(set(column)) > 1 for column in zip(*found, strict=True)]
    return [tuple(n for n, keep in zip(row, varying, strict=True) if keep) for row in found]
