"""Signs that renders are stored otherwise than the truth, or paired with the wrong images."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

SIDE = 32  # pixels of the thumbnails that are compared
FACTOR = 0.5  # a variant explains the renders where it at least halves their error
WRONG = 0.5  # share of views that resemble another true image more, to be said
VARIANTS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "with red and blue exchanged (BGR)": lambda x: x[..., ::-1],
    "turned upside down": lambda x: x[:, ::-1],
    "mirrored": lambda x: x[:, :, ::-1],
    "converted from linear light to sRGB": lambda x: x ** (1 / 2.2),
    "converted from sRGB to linear light": lambda x: x**2.2,
}

Thumbnail = Float[np.ndarray, "rows columns 3"]


def thumbnail(image: Float[np.ndarray, "height width 3"]) -> Thumbnail:
    """Return an image averaged to at most 32 x 32 pixels; borders that do not divide are cut."""
    rows, columns = min(SIDE, image.shape[0]), min(SIDE, image.shape[1])
    tall, wide = image.shape[0] // rows, image.shape[1] // columns
    cut = image[: rows * tall, : columns * wide]
    return cut.reshape(rows, tall, columns, wide, 3).mean((1, 3))


def suspicions(
    names: Sequence[str], renders: Sequence[Thumbnail], truths: Sequence[Thumbnail]
) -> list[str]:
    """Return sentences on what the thumbnails of pairs suggest; none where all is well."""
    sizes = {each.shape for each in (*renders, *truths)}
    if len(sizes) != 1:
        return []
    ours, theirs = np.stack(list(renders)), np.stack(list(truths))
    error = np.square(ours - theirs).mean((1, 2, 3))
    found = []
    if (same := int((error == 0).sum())) > 0:
        found.append(f"{same} of {len(names)} renders equal the true image: are they renders?")
    for words, change in VARIANTS.items():
        changed = np.square(change(ours) - theirs).mean()
        # Below a thousandth of the range nothing is told apart from noise.
        if error.mean() > 1e-6 and changed < FACTOR * error.mean():
            gain = 10 * np.log10(error.mean() / max(changed, 1e-12))
            found.append(f"the renders resemble the truth more {words}: {gain:.1f} dB")
    if len(names) > 1:
        every = np.square(ours[:, None] - theirs[None]).mean((2, 3, 4))
        best = every.argmin(1)
        other = (best != np.arange(len(names))) & (every.min(1) < FACTOR * error)
        if other.mean() >= WRONG:
            first = int(np.flatnonzero(other)[0])
            found.append(
                f"{int(other.sum())} of {len(names)} renders resemble another true image more, "
                f"{names[first]} that of {names[int(best[first])]}: they may be paired wrongly"
            )
    return found
