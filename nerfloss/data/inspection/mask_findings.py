"""Masks: their kind and coverage, and masks that are white, empty, missing or inverted."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.inspection.inspection import Finding, Row, listed, of_all
from nerfloss.data.inspection.view_pictures import ViewPicture

WHITE, EMPTY = 0.999, 1e-6


def mask_rows(pictures: Sequence[ViewPicture]) -> list[Row]:
    """Return the rows on object masks and ignore masks."""
    alpha = sum(picture.mask_is_alpha for picture in pictures)
    files = sum(picture.mask is not None for picture in pictures) - alpha
    covered = np.array([_coverage(p) for p in pictures if p.mask is not None])
    kinds = [f"{count} {name}" for count, name in ((files, "files"), (alpha, "alpha")) if count]
    rows = [Row("object masks", _range(" and ".join(kinds), covered) if kinds else "none")]
    counts = [picture.counts for picture in pictures if picture.counts is not None]
    if counts:
        ignored = np.array([1 - each.mean() for each in counts])
        rows.append(Row("ignore masks", _range(f"{len(counts)} files, ignored", ignored)))
    return rows


def _range(kind: str, shares: Float[np.ndarray, "masks"]) -> str:
    low, middle, high = np.quantile(shares, [0, 0.5, 1])
    return f"{kind}: {low:.1%} min, {middle:.1%} median, {high:.1%} max of the pixels"


def _coverage(picture: ViewPicture) -> float:
    assert picture.mask is not None
    return float((picture.mask > 127).mean())


def mask_findings(parsed: ParsedScene, pictures: Sequence[ViewPicture]) -> list[Finding]:
    """Return findings on the masks of the views that were read."""
    masked = [picture for picture in pictures if picture.mask is not None]
    findings = _missing(parsed, pictures)
    white = [p.view for p in masked if _coverage(p) > WHITE]
    empty = [p.view for p in masked if _coverage(p) < EMPTY]
    if white:
        names = "" if len(white) == len(pictures) else f" ({listed(parsed, white)})"
        text = (
            f"the masks of {of_all(len(white), len(masked))}{names} are white everywhere: they say "
            "nothing; set dataset.masks=false or replace them"
        )
        findings.append(Finding("masks_white", text, tuple(white)))
    if empty:
        text = (
            f"the masks of {of_all(len(empty), len(masked))} ({listed(parsed, empty)}) are empty: "
            "no pixel is object"
        )
        findings.append(Finding("masks_empty", text, tuple(empty)))
    counts = [p.view for p in pictures if p.counts is not None and not p.counts.any()]
    if counts:
        text = f"the ignore masks of {listed(parsed, counts)} ignore every pixel"
        findings.append(Finding("masks_ignore_all", text, tuple(counts)))
    return findings + _inverted(parsed, [p for p in masked if p.view not in (*white, *empty)])


def _missing(parsed: ParsedScene, pictures: Sequence[ViewPicture]) -> list[Finding]:
    without = [picture.view for picture in pictures if picture.mask is None]
    if not without or len(without) == len(pictures):
        return []
    text = (
        f"{of_all(len(without), len(pictures))} ({listed(parsed, without)}) have no object mask, "
        "while the others have one"
    )
    return [Finding("masks_missing", text, tuple(without))]


def _inverted(parsed: ParsedScene, masked: Sequence[ViewPicture]) -> list[Finding]:
    """Find masks that hold nearly the whole border of the image, but not its middle."""
    turned = [picture.view for picture in masked if _seems_inverted(picture)]
    if not turned:
        return []
    most = len(turned) > 0.6 * len(masked)
    names = "" if most else f" ({listed(parsed, turned)})"
    text = (
        f"the masks of {of_all(len(turned), len(masked))}{names} seem inverted: the border of the "
        "image is object, and the background lies in the middle; invert them (white is object)"
    )
    return [Finding("masks_inverted", text, tuple(turned))]


def _seems_inverted(picture: ViewPicture) -> bool:
    assert picture.mask is not None
    shown = picture.mask > 127
    edges = np.concatenate([shown[0], shown[-1], shown[:, 0], shown[:, -1]])
    height, width = shown.shape
    middle = shown[height // 4 : height - height // 4, width // 4 : width - width // 4]
    return bool(edges.mean() > 0.9 and middle.mean() < edges.mean() - 0.2)
