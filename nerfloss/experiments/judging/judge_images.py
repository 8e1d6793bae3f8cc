"""Score the renders of any trainer against true images by the metrics of conf/eval."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.errors import DataError
from nerfloss.evaluation.metrics.metadata import measured, metadata_of, settings_used
from nerfloss.evaluation.protocols.protocol import Protocol
from nerfloss.evaluation.scores import Evaluation, Score, mean_score
from nerfloss.evaluation.view_scores import missing_quantity, score_view
from nerfloss.experiments.judging.file_pairs import FilePairs, named, pair_files
from nerfloss.experiments.judging.pictures import read_picture, tile_count
from nerfloss.experiments.judging.render_settings import RenderSettings, told_settings
from nerfloss.experiments.judging.suspicions import suspicions, thumbnail

Metrics = Mapping[str, Callable[..., Any]]
SPLITS = ("test", "train", "val")


@dataclass(frozen=True)
class Judgement:
    """Scores of what another program made, with ``notes`` on assumptions and ``problems``."""

    evaluation: Evaluation
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def judge_images(
    renders: Path,
    truth: Path,
    metrics: Metrics,
    settings: RenderSettings | None = None,
    protocol: Protocol | None = None,
) -> Judgement:
    """Return the scores of a folder of renders against a folder of true images.

    A view without a render, or with one of another size, has a reason instead of scores and is in
    no mean. Raises DataError where no view can be scored, or files cannot be read, and ValueError
    where a ``protocol`` does not hold.
    """
    settings = settings or RenderSettings()
    _check_of_images(protocol)
    found = pair_files(renders, truth, settings.rule)
    notes = [*found.notes, f"{len(found.pairs)} renders are paired with true images {found.rule}"]
    settings = told_settings(found, settings, notes)
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
        pair = (quantities["rgb"], quantities["target_rgb"])
        thumbnails.append((name, *(thumbnail(image.numpy()) for image in pair)))
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
    problems += suspicions(*map(list, zip(*thumbnails, strict=True)))
    known = _conventions(settings, truth)
    if protocol is not None:
        protocol.check(known)
        known |= protocol.conventions
        notes += [f"protocol {protocol.title}: {protocol.source}"]
        notes += [f"  {key}: {value}" for key, value in protocol.fixes.items()]
    evaluation = _evaluation(kept, rows, known)
    facts = {"pairs": found.rule, "background": settings.background, "tile": settings.tile}
    return Judgement(evaluation, tuple(notes), tuple(problems), facts)


def _check_of_images(protocol: Protocol | None) -> None:
    if protocol is not None and not protocol.images:
        raise ValueError(
            f"--protocol {protocol.name}: it is of surfaces, and says nothing of renders; give a "
            f"mesh, or leave the protocol out"
        )


def _quantities(
    render: Path, true: Path, settings: RenderSettings
) -> tuple[dict[str, Tensor] | None, str]:
    """Return the quantities of a view that metrics take, or None and the reason."""
    target = read_picture(true, downscale=settings.downscale)
    picture = read_picture(render)
    tiles = tile_count(picture, target)
    if settings.tile is not None:
        if settings.tile > tiles:
            pictures = "one picture" if tiles == 1 else f"{tiles} pictures side by side"
            return (
                None,
                f"the render is {pictures} of the true image's width, no --tile {settings.tile}",
            )
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


def _conventions(settings: RenderSettings, truth: Path) -> dict[str, Any]:
    known: dict[str, Any] = {"image_range": "0 to 1, from 8 bit as stored"}
    known |= {"split": truth.name} if truth.name in SPLITS else {}
    known |= {"background": settings.background} if settings.background else {}
    return {**known, "downscale": settings.downscale}


def _evaluation(
    metrics: Metrics,
    rows: Sequence[tuple[str, Mapping[str, Score]]],
    known: Mapping[str, Any],
) -> Evaluation:
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
