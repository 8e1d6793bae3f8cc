"""Suspicious images: blur, exposure jumps, duplicates, constant borders."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import binary_erosion, laplace

from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.inspection.inspection import Finding, listed, of_all
from nerfloss.data.inspection.view_pictures import ViewPicture

# Fractions of the neighbours' median sharpness, and factors of their brightness.
BLURRED = 0.2
JUMP = 1.6
# Fewer pixels than this say nothing.
FEWEST = 64
FLAT = 1e-4


def sharpness(picture: ViewPicture) -> float:
    """Return the variance of the Laplacian in units of the variance of the brightness.

    NaN where too few pixels count.
    """
    grey = picture.grey.astype(np.float64)
    used = np.asarray(binary_erosion(picture.used, iterations=2), dtype=bool)
    if used.sum() < FEWEST:
        return float("nan")
    return float(np.asarray(laplace(grey))[used].var() / max(float(grey[used].var()), 1.0))


def brightness(picture: ViewPicture) -> float:
    """Return the median brightness from 0 to 255, NaN where too few pixels count."""
    used = picture.used
    return float(np.median(picture.grey[used])) if used.sum() >= FEWEST else float("nan")


def image_findings(
    parsed: ParsedScene,
    pictures: Sequence[ViewPicture],
    nearest: Int[np.ndarray, "pictures nearest"],
    exposure: Float[np.ndarray, "pictures"] | None = None,
) -> list[Finding]:
    """Return findings on single views against their neighbours, and on all images together.

    ``nearest`` are the neighbours of each picture, as indices of pictures. ``exposure`` are factors
    of brightness against the same points in other views; None: medians of neighbours are compared.
    """
    findings = []
    if len(pictures) > 3:
        findings += _blurred(parsed, pictures, nearest)
        findings += _exposure_jumps(parsed, pictures, nearest, exposure)
    findings += _duplicates(parsed, pictures)
    return findings + _constant_border(pictures)


def _blurred(
    parsed: ParsedScene,
    pictures: Sequence[ViewPicture],
    nearest: Int[np.ndarray, "pictures nearest"],
) -> list[Finding]:
    sharp = np.array([sharpness(picture) for picture in pictures])
    beside = _of_neighbors(sharp, pictures, nearest)
    # Neighbours of one colour have no sharpness to compare with.
    ratio = sharp / np.where(beside > FLAT, beside, np.nan)
    views = [pictures[i].view for i in np.flatnonzero(ratio < BLURRED).tolist()]
    if not views:
        return []
    text = f"{listed(parsed, views)}: blurred, against the views beside"
    return [Finding("blurred", text, tuple(views))]


def _of_neighbors(
    values: Float[np.ndarray, "pictures"],
    pictures: Sequence[ViewPicture],
    nearest: Int[np.ndarray, "pictures nearest"],
) -> Float[np.ndarray, "pictures"]:
    """Return the median value of each picture's neighbours, NaN where none can be compared."""
    # With a mask the object is judged, without one the whole image: these are not compared.
    masked = np.array([_tells(picture) for picture in pictures])
    beside = np.where(masked[nearest] == masked[:, None], values[nearest], np.nan)
    known = np.isfinite(beside).sum(1) >= min(3, nearest.shape[1])
    median = np.full(len(values), np.nan)
    median[known] = np.nanmedian(beside[known], 1)
    return median


def _exposure_jumps(
    parsed: ParsedScene,
    pictures: Sequence[ViewPicture],
    nearest: Int[np.ndarray, "pictures nearest"],
    exposure: Float[np.ndarray, "pictures"] | None,
) -> list[Finding]:
    source = "at the same points"
    if exposure is None:
        bright = np.array([brightness(picture) for picture in pictures]) + 1
        exposure, source = (
            bright / _of_neighbors(bright, pictures, nearest),
            "against the views beside",
        )
    factor = np.maximum(exposure, 1 / np.maximum(exposure, 1e-6))
    jumps = np.flatnonzero(factor > JUMP).tolist()
    if not jumps:
        return []
    views = [pictures[i].view for i in jumps]
    worst = exposure[max(jumps, key=lambda i: factor[i])]
    text = f"{listed(parsed, views)}: exposure differs, up to {worst:.2g} times {source}"
    return [Finding("exposure", text, tuple(views))]


def _duplicates(parsed: ParsedScene, pictures: Sequence[ViewPicture]) -> list[Finding]:
    """Find pictures that are equal: copies under other names, or a file linked twice."""
    groups: dict[tuple[tuple[int, ...], bytes], list[int]] = defaultdict(list)
    for picture in pictures:
        groups[picture.rgb.shape, picture.rgb.tobytes()].append(picture.view)
    return [
        Finding("duplicates", f"{listed(parsed, views)}: the same image", tuple(views))
        for views in groups.values()
        if len(views) > 1
    ]


def _constant_border(pictures: Sequence[ViewPicture]) -> list[Finding]:
    """Find a black background of images that no mask tells apart from the object.

    A white one is what training assumes, or does not matter.
    """
    if not pictures or any(_tells(picture) for picture in pictures):
        return []
    borders = [_border_color(picture) for picture in pictures]
    black = [border is not None and bool(border.max() <= 3) for border in borders]
    if np.mean(black) <= 0.7:
        return []
    text = (
        f"the border of {of_all(sum(black), len(black))} is black, and no mask says what is "
        "background: a white background does not fit; set dataset.background=black, or add masks"
    )
    return [Finding("border_black", text)]


def _tells(picture: ViewPicture) -> bool:
    return picture.mask is not None and bool((picture.mask <= 127).any())


def _border_color(picture: ViewPicture) -> Float[np.ndarray, "3"] | None:
    """Return the colour of the outermost pixels, None if they are not of one colour."""
    edges = (picture.rgb[0], picture.rgb[-1], picture.rgb[:, 0], picture.rgb[:, -1])
    border = np.concatenate(edges).astype(np.float64)
    middle = np.median(border, axis=0)
    return middle if (abs(border - middle).max(1) <= 6).mean() > 0.97 else None
