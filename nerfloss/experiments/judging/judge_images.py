"""Score the renders of any trainer against true images by the metrics of conf/eval."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.errors import DataError
from nerfloss.evaluation.metrics.metadata import measured, metadata_of, settings_used
from nerfloss.evaluation.scores import Evaluation, Score, mean_score
from nerfloss.evaluation.view_scores import missing_quantity, score_view
from nerfloss.experiments.judging.file_pairs import FilePairs, named, pair_files
from nerfloss.experiments.judging.pictures import (
    BACKGROUNDS,
    SAME,
    Picture,
    background_of,
    read_picture,
    tile_count,
    tile_errors,
)
from nerfloss.experiments.judging.suspicions import suspicions, thumbnail

Metrics = Mapping[str, Callable[..., Any]]
PROBED = 8  # views from which background and tile are told
SPLITS = ("test", "train", "val")


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
        if self.downscale < 1 or (self.tile is not None and self.tile < 1):
            raise ValueError("downscale and tile are 1 or more")


@dataclass(frozen=True)
class Judgement:
    """Scores of what another program made, with ``notes`` on assumptions and ``problems``."""

    evaluation: Evaluation
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def judge_images(
    renders: Path, truth: Path, metrics: Metrics, settings: RenderSettings | None = None
) -> Judgement:
    """Return the scores of a folder of renders against a folder of true images.

    A view without a render, or with one of another size, has a reason instead of scores and is in
    no mean. Raises DataError where no view can be scored, or files cannot be read.
    """
    settings = settings or RenderSettings()
    found = pair_files(renders, truth, settings.rule)
    notes = [*found.notes, f"{len(found.pairs)} renders are paired with true images {found.rule}"]
    settings = _told(found, settings, notes)
    functions = measured(metrics, "eval.metrics")
    rows, thumbnails, images, refused = [], [], {}, {}
    for name, render, true in found.pairs:
        quantities, why = _quantities(render, true, settings)
        if quantities is None:
            rows.append((name, {metric: Score(None, reason=why) for metric in functions}))
            refused[name] = why
            continue
        images[render] = quantities.keys()
        rows.append((name, score_view(functions, quantities)))
        thumbnails.append((name, *(quantities[key] for key in ("rgb", "target_rgb"))))
    if not thumbnails:
        name, why = next(iter(refused.items()))
        remedy = "give images of one size, or average those of the truth: --downscale FACTOR"
        raise DataError(renders, f"no view can be scored: {name}: {why}", remedy)
    rows += [
        (p.stem, {m: Score(None, reason="no render") for m in functions}) for p in found.missing
    ]
    offers = set.intersection(*map(set, images.values()))
    kept = {name: m for name, m in functions.items() if missing_quantity(m, offers) is None}
    problems = [*_problems(found, refused), *_mixed_alpha(images)]
    small = [(n, *(thumbnail(x.numpy()) for x in pair)) for n, *pair in thumbnails]
    problems += suspicions(*map(list, zip(*small, strict=True)))
    evaluation = _evaluation(kept, rows, settings, truth)
    facts = {"pairs": found.rule, "background": settings.background, "tile": settings.tile}
    return Judgement(evaluation, tuple(notes), tuple(problems), facts)


def _quantities(
    render: Path, true: Path, settings: RenderSettings
) -> tuple[dict[str, Tensor] | None, str]:
    """Return the quantities of a view that metrics take, or None and the reason."""
    target = read_picture(true, downscale=settings.downscale)
    picture = read_picture(render)
    tiles = tile_count(picture, target)
    if settings.tile is not None and settings.tile <= tiles:
        width = target.rgb.shape[1]
        picture = picture.columns((settings.tile - 1) * width, width)
    if picture.rgb.shape != target.rgb.shape:
        return None, f"the render is {picture.size} pixels, the true image {target.size}"
    background = settings.background or "white"
    images = {"rgb": picture.on(background), "target_rgb": target.on(background)}
    if picture.alpha is not None:
        images["opacity"] = picture.alpha
    if target.alpha is not None:
        images["target_mask"] = target.alpha
    return {name: _tensor(image) for name, image in images.items()}, ""


def _told(found: FilePairs, settings: RenderSettings, notes: list[str]) -> RenderSettings:
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


def _problems(found: FilePairs, refused: Mapping[str, str]) -> list[str]:
    """Return sentences on views that are not in the means, and on renders that are not used."""
    problems = []
    if found.missing:
        problems.append(f"{len(found.missing)} true images have no render: {named(found.missing)}")
    if found.extra:
        problems.append(f"{len(found.extra)} renders have no true image: {named(found.extra)}")
    return [*problems, *(f"{name}: {why}" for name, why in refused.items())]


def _mixed_alpha(images: Mapping[Path, Collection[str]]) -> list[str]:
    """Return a sentence naming the renders with alpha where others have none."""
    with_alpha = [path for path, offered in images.items() if "opacity" in offered]
    if not 0 < len(with_alpha) < len(images):
        return []
    return [
        f"{len(with_alpha)} of {len(images)} renders have alpha, the others none: "
        f"{named(with_alpha)}"
    ]


def _evaluation(
    metrics: Metrics,
    rows: Sequence[tuple[str, Mapping[str, Score]]],
    settings: RenderSettings,
    truth: Path,
) -> Evaluation:
    known: dict[str, Any] = {"image_range": "0 to 1, from 8 bit as stored"}
    known |= {"split": truth.name} if truth.name in SPLITS else {}
    known |= {"background": settings.background} if settings.background else {}
    known |= {"downscale": settings.downscale}
    scores = {
        name: mean_score(
            [row[name] for _, row in rows],
            {
                **known,
                **metadata_of(metric).conventions,
                "mean": "over views",
                **settings_used(metric),
            },
        )
        for name, metric in metrics.items()
    }
    views = [{"view": name, **{m: row[m].value for m in metrics}} for name, row in rows]
    return Evaluation(scores, tuple(views))


def _tensor(image: Float[np.ndarray, "height width *channel"]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))
