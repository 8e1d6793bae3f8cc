"""Pair the renders of any trainer with the true images, by names, numbers or order."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_pairs import natural_key, varying_numbers
from nerfloss.data.formats.image_paths import IMAGE_ENDINGS, without_ending

RULES = ("auto", "name", "number", "order")
# Endings of names that mean a colour image: 0001_rgb.png, 00012-img.jpg, r_0_pred.png.
COLOUR = re.compile(
    r"[-_. ](rgb|rgba|img|image|colou?r|comp_rgb|pred|prediction|render|rendered|rgb_fine|fine|gt|"
    r"gt-rgb|final)$",
    re.IGNORECASE,
)
# Names of maps that trainers write beside the colours, with a number in some: r_0_depth_0001.png.
MAP = re.compile(
    r"(^|[-_. ])(depth|disp|disparity|normals?|acc|accumulation|alpha|opacity|masks?|error|"
    r"semantics?|median_depth|expected_depth)([-_. ]?\d+)?([-_. ]vis)?$",
    re.IGNORECASE,
)
FITTING = 0.75  # share of the files with a number in the other folder, to pair by numbers
NAMED = 5  # files that a message lists


@dataclass(frozen=True)
class FilePairs:
    """Pairs of (name, render, truth); true images without a render, and renders without a truth.

    ``rule`` says how they were paired, ``notes`` what else was assumed.
    """

    pairs: tuple[tuple[str, Path, Path], ...]
    missing: tuple[Path, ...]
    extra: tuple[Path, ...]
    rule: str
    notes: tuple[str, ...] = ()


def pair_files(renders: Path, truth: Path, rule: str = "auto") -> FilePairs:
    """Pair the images of two folders, sorted by the true image's name.

    Maps are left out by their names, and endings such as ``_rgb`` are no part of a name. ``auto``
    takes the names; where none agrees, the numbers in them, unless these are two counts of views:
    many numbers without a partner, or as many files but other numbers. Order is a guess, so it has
    to be asked for.

    Raises DataError for folders without images, and where nothing can be paired.
    """
    if rule not in RULES:
        raise ValueError(f"pair='{rule}' does not exist: take one of {', '.join(RULES)}")
    notes: list[str] = []
    ours, theirs = colour_images(renders, notes), colour_images(truth, notes)
    rules = ("name", "number") if rule == "auto" else (rule,)
    for each in rules:
        matched = _matched(ours, theirs, each)
        if matched and (rule != "auto" or each == "name" or not _ambiguous(matched, ours, theirs)):
            used = set(matched.values())
            pairs = tuple((key_of(t), r, t) for t, r in matched.items())
            said = {"name": "names", "number": "numbers in the names", "order": "order"}[each]
            return FilePairs(
                pairs,
                tuple(path for path in theirs if path not in matched),
                tuple(path for path in ours if path not in used),
                f"by their {said} ({pairs[0][1].name} with {pairs[0][2].name})",
                tuple(notes),
            )
    names = "names and numbers do not tell" if rule == "auto" else f"the rule {rule} does not tell"
    found = f"{names} which render belongs to which true image: {_both(ours, theirs)}"
    remedy = "rename them, or state the rule: --pair number, --pair order (of sorted names)"
    raise DataError(renders, found, remedy)


def colour_images(folder: Path, notes: list[str]) -> list[Path]:
    """Return the images of a folder that are no maps, in natural order; maps become a note.

    Where a name has several images that differ in an ending such as ``_rgb`` or ``_gt``, that of
    the render is taken from renders: ``_gt`` files beside others are left out.
    """
    try:
        entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise DataError(folder, f"cannot be read ({error.strerror})", "check it") from error
    images = [p for p in entries if p.suffix.lower() in (*IMAGE_ENDINGS, ".npy") and p.is_file()]
    images.sort(key=natural_key)
    maps = [path for path in images if MAP.search(without_ending(path.name))]
    kept = [path for path in images if path not in maps]
    true = [p for p in kept if re.search(r"[-_. ]gt([-_. ]rgb)?$", without_ending(p.name), re.I)]
    if 0 < len(true) < len(kept):
        maps, kept = [*maps, *true], [path for path in kept if path not in true]
    if maps and kept:
        notes.append(f"{folder}: {len(maps)} files are maps by their names: {named(maps)}")
    if not kept:
        inside = named(entries) or "nothing"
        below = [path.name for path in entries if path.is_dir()]
        remedy = f"give the folder with the images{f', one of {below[:NAMED]}' if below else ''}"
        raise DataError(folder, f"no images in it, which holds {inside}", remedy)
    return kept


def key_of(path: Path) -> str:
    """Return the part of a file's name that identifies a view."""
    return COLOUR.sub("", without_ending(path.name)) or path.stem


def named(paths: Sequence[Path]) -> str:
    """Return the first names of files, and how many more there are."""
    names = ", ".join(path.name for path in paths[:NAMED])
    return names + (f" ... ({len(paths)})" if len(paths) > NAMED else "")


def _matched(ours: Sequence[Path], theirs: Sequence[Path], rule: str) -> dict[Path, Path]:
    """Return the render of each true image that has one."""
    if rule == "order":
        if len(ours) != len(theirs):
            found = f"{len(ours)} renders for {len(theirs)} true images"
            raise DataError(ours[0].parent, found, "order pairs equal counts only")
        return dict(zip(theirs, ours, strict=True))
    if rule == "name":
        our_keys: list = [key_of(path).lower() for path in ours]
        their_keys: list = [key_of(path).lower() for path in theirs]
    else:
        our_keys, their_keys = _numbers(ours), _numbers(theirs)
    for paths, keys in ((ours, our_keys), (theirs, their_keys)):
        twice = [path for path, key in zip(paths, keys, strict=True) if keys.count(key) > 1]
        if twice and rule == "name":
            raise DataError(twice[0].parent, f"{named(twice)} are of one view", "keep one each")
        if twice:
            return {}
    renders = dict(zip(our_keys, ours, strict=True))
    return {t: renders[key] for t, key in zip(theirs, their_keys, strict=True) if key in renders}


def _numbers(paths: Sequence[Path]) -> list[tuple[int, ...]]:
    """Return the last number in each name that is not the same in all; the last one of one file."""
    if len(paths) == 1:
        return [tuple(map(int, re.findall(r"\d+", key_of(paths[0]))))[-1:]]
    stripped = [path.with_name(f"{key_of(path)}.png") for path in paths]
    return [numbers[-1:] for numbers in varying_numbers(stripped)]


def _ambiguous(matched: dict[Path, Path], ours: Sequence[Path], theirs: Sequence[Path]) -> bool:
    """Return True where the numbers in the two folders may count different things."""
    fewer = min(len(ours), len(theirs))
    return len(matched) < (fewer if len(ours) == len(theirs) else FITTING * fewer)


def _both(ours: Sequence[Path], theirs: Sequence[Path]) -> str:
    return f"renders {named(ours)}; true images {named(theirs)}"
