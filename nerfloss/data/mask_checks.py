"""Checks of object masks and image borders: one line for each thing that is suspicious."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from nerfloss.data.errors import DataError
from nerfloss.data.mask_files import THRESHOLD, read_mask

# Shares of the views about which something is said.
MOST, MANY = 0.7, 0.3
# A border colour may vary by this much where images were compressed with losses.
TOLERANCE = 6
COLOURS = {"black": (0, 0, 0), "white": (255, 255, 255)}

Mask = UInt8[np.ndarray, "_ _"]
Image = UInt8[np.ndarray, "_ _ 3"]


@dataclass(frozen=True)
class MaskSummary:
    """The findings about one mask; ``full`` is True if every pixel is object."""

    name: str
    full: bool
    inverted: bool


def check_object_masks(masks: Sequence[Mask | None], names: Sequence[str]) -> list[str]:
    """Return one line for each thing about the object masks that is suspicious.

    ``masks`` are per view, of any sizes, without padding; None where a view has none. ``names`` are
    the paths of the files they come from. Raises DataError, with the path, for a mask without any
    object.
    """
    summaries = [
        _summary(mask > THRESHOLD, name)
        for mask, name in zip(masks, names, strict=True)
        if mask is not None
    ]
    full = [summary.name for summary in summaries if summary.full]
    if summaries and len(full) == len(summaries):
        return [
            "every pixel of every mask is object: nothing is masked; set dataset.masks=false, or "
            "make masks that show the object"
        ]
    notes = []
    if full:
        notes.append(
            f"every pixel of the mask is object in {len(full)} of {len(summaries)} views: "
            f"{_listed(full)}"
        )
    partial = [summary for summary in summaries if not summary.full]
    turned = [summary.name for summary in partial if summary.inverted]
    if len(turned) >= max(2, MOST * len(partial)):
        notes.append(
            "the masks seem inverted: object at the border of the image and background in the "
            f"middle in {len(turned)} of {len(partial)} views; white (255) must be the object"
        )
    return notes


def object_at_border(masks: Sequence[Mask | None], names: Sequence[str]) -> str | None:
    """Return a line if many views show the object only in part, None otherwise.

    It is no fault: benchmarks as DTU have such views. ``masks`` and ``names`` are as for
    `check_object_masks`.
    """
    partial = [
        (float(_border(mask > THRESHOLD).mean()), name)
        for mask, name in zip(masks, names, strict=True)
        if mask is not None and (mask <= THRESHOLD).any()
    ]
    cut = [name for share, name in partial if share > 0.01]
    if len(cut) < max(2, MANY * len(partial)):
        return None
    return (
        f"the object reaches the border of the image in {len(cut)} of {len(partial)} views "
        f"({_listed(cut)}), as usual in close views: the others say where it ends"
    )


def check_border(
    images: Sequence[Image], masks: Sequence[Mask] | None, background: str
) -> list[str]:
    """Return a line if images without masks have a border of one colour other than ``background``.

    ``background`` is the colour that is assumed behind the object. With masks the border does not
    matter: the background replaces it.
    """
    if masks is not None or not images:
        return []
    colours = [colour for image in images if (colour := _border_colour(image)) is not None]
    if len(colours) < max(1, MOST * len(images)):
        return []
    colour = np.median(colours, axis=0)
    same = [each for each in colours if np.abs(each - colour).max() <= 2 * TOLERANCE]
    expected = COLOURS.get(background)
    if len(same) < MOST * len(images):
        return []
    if expected is not None and np.abs(colour - expected).max() <= 2 * TOLERANCE:
        return []
    known = [name for name, rgb in COLOURS.items() if np.abs(colour - rgb).max() <= 2 * TOLERANCE]
    values = "({:.0f}, {:.0f}, {:.0f})".format(*colour)
    text = f"the border of the images is {known[0] if known else 'of one colour'} {values}"
    text += f" in {len(same)} of {len(images)} views"
    if expected is None:
        return [f"{text}: is it background? masks or an alpha channel would say so"]
    set_to = known[0] if known else "none"
    return [f"{text}, which background={background} does not fit; set dataset.background={set_to}"]


def seems_inverted(inside: Bool[np.ndarray, "height width"]) -> bool:
    """Return True for a mask with object at the border and background in the middle."""
    background, at_border = 1 - float(inside.mean()), 1 - float(_border(inside).mean())
    # Of a close view of an object, more of the border is background than of the rest.
    return at_border <= 0.25 and background >= 0.01 and at_border < 0.6 * background


def _summary(inside: Bool[np.ndarray, "height width"], name: str) -> MaskSummary:
    """Return the summary of a mask. Raises DataError for a mask without any object."""
    if not inside.any():
        raise _empty(name)
    return MaskSummary(name, bool(inside.all()), seems_inverted(inside))


def _empty(name: str) -> DataError:
    """Return the error of a mask without object, by the values that are in its file."""
    found = "the mask is empty: no pixel belongs to the object"
    try:
        values = np.unique(read_mask(Path(name)))
    except DataError:
        return DataError(name, found, "drop this view")
    if 0 < values[-1] <= THRESHOLD and len(values) <= 32:
        listed = ", ".join(str(value) for value in values[:6]) + (" ..." if len(values) > 6 else "")
        found += f" (its values are {listed}: labels or a dark grey, none above {THRESHOLD})"
        return DataError(name, found, "write 255 where the object is, or drop this view")
    return DataError(name, found, "drop this view")


def _border(pixels: np.ndarray) -> np.ndarray:
    """Return the pixels of the outermost rows and columns, one after another."""
    return np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])


def _border_colour(image: Image) -> np.ndarray | None:
    """Return the colour that nearly all border pixels have, None if they vary."""
    border = _border(image).astype(np.int16)
    colour = np.median(border, axis=0)
    near = np.abs(border - colour).max(-1) <= TOLERANCE
    return colour if near.mean() >= 0.9 else None


def _listed(names: Sequence[str]) -> str:
    short = [Path(name).name for name in names]
    return ", ".join(short[:5]) + (" ..." if len(short) > 5 else "")
