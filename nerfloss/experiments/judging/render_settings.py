"""Settings of judging renders: given, or told from the first pairs of images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nerfloss.data.errors import DataError
from nerfloss.experiments.judging.file_pairs import FilePairs
from nerfloss.experiments.judging.pictures import (
    BACKGROUNDS,
    SAME,
    Picture,
    background_of,
    read_picture,
    tile_count,
    tile_errors,
)

PROBED = 8  # views from which background and tile are told


@dataclass(frozen=True)
class RenderSettings:
    """Settings of judging renders; None is told from the images, and said.

    ``background`` is composited below alpha. ``tile`` is the number, from 1, of the render among
    pictures side by side. ``downscale`` averages blocks of pixels of the true images.
    """

    rule: str = "auto"
    background: str | None = None
    tile: int | None = None
    downscale: int = 1

    def __post_init__(self) -> None:
        if self.background not in (None, *BACKGROUNDS):
            raise ValueError(f"background='{self.background}': take {' or '.join(BACKGROUNDS)}")
        for name in ("downscale", "tile"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"--{name} {value}: it is 1 or more")


def told_settings(found: FilePairs, settings: RenderSettings, notes: list[str]) -> RenderSettings:
    """Return the settings with background and tile as the first pairs tell them, and say so."""
    probed = [
        (read_picture(render), read_picture(true, downscale=settings.downscale))
        for _, render, true in found.pairs[:PROBED]
    ]
    alpha = [pair for pair in probed if pair[0].alpha is not None or pair[1].alpha is not None]
    if alpha:
        tiled = [(_tile(r, t, settings.tile), t) for r, t in alpha]
        shown = {background_of(*pair) for pair in tiled} - {None}
        settings = _with_background(settings, shown, alpha, notes)
    if settings.tile is None and any(tile_count(*pair) > 1 for pair in probed):
        pairs = [pair for pair in probed if tile_count(*pair) > 1]
        settings = replace(settings, tile=_tile_of_render(pairs, settings, notes))
    return settings


def _with_background(
    settings: RenderSettings,
    shown: set[str | None],
    alpha: Sequence[tuple[Picture, Picture]],
    notes: list[str],
) -> RenderSettings:
    whose = [
        side
        for side, each in (("renders", 0), ("true images", 1))
        if any(pair[each].alpha is not None for pair in alpha)
    ]
    name = settings.background or (next(iter(shown)) if len(shown) == 1 else "white")
    said = f"{' and '.join(whose)} have alpha: composited on {name}"
    if settings.background is None:
        said += ", as the renders are where it is 0" if len(shown) == 1 else " (--background)"
    elif shown - {name}:
        said += f", although the renders are {' or '.join(map(str, shown))} where it is 0"
    notes.append(said)
    return replace(settings, background=name)


def _tile(render: Picture, truth: Picture, tile: int | None) -> Picture:
    """Return the last of several pictures side by side, or the one of a number: not the truth."""
    count, width = tile_count(render, truth), truth.rgb.shape[1]
    return render.columns((min(tile or 2, count) - 1) * width, width) if count > 1 else render


def _tile_of_render(
    pairs: Sequence[tuple[Picture, Picture]], settings: RenderSettings, notes: list[str]
) -> int:
    """Return the number of the render among pictures side by side: next to the true one."""
    counts = {tile_count(*pair) for pair in pairs}
    count = min(counts)
    errors = [tile_errors(r, t, settings.background or "white")[:count] for r, t in pairs]
    mean = np.mean(errors, axis=0)
    true = int(mean.argmin())
    if mean[true] > SAME:
        found = f"{count} pictures side by side, of which none is the true image"
        raise DataError(pairs[0][0].path, found, "say which is the render: --tile NUMBER, from 1")
    tile = 2 if true == 0 else true
    notes.append(
        f"{count} pictures side by side: number {true + 1} is the true image, {tile} is taken as "
        f"the render (--tile)"
    )
    return tile
