"""Loss maps of chosen views of a run that was opened."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.loss_maps.conflict_map import BLOCK, ConflictMap, conflict_map
from nerfloss.assembly.loss_maps.map_views import batch_constants, map_view
from nerfloss.assembly.loss_maps.term_map import TermMaps
from nerfloss.assembly.loss_maps.term_maps import CHUNK, term_maps
from nerfloss.assembly.loss_maps.view_quantities import ViewQuantities
from nerfloss.data.pixel_samplers.batch import Batch
from nerfloss.evaluation.image_rendering import View

# Views that are drawn by default, and the longest side of their maps in pixels.
VIEWS, LONGEST = 3, 256


@dataclass(frozen=True)
class MapRequest:
    """What ``nerfloss maps`` was asked for.

    ``views`` are names or numbers of views of ``split``; none: three, evenly spread. ``terms`` are
    names of the recipe's terms, or ``all``; None: those that are active at the end of the training.
    ``conflicts`` are pairs of terms. ``downscale`` None: so that no side has more than 256 pixels.
    """

    views: Sequence[str] = ()
    split: str = "train"
    terms: Sequence[str] | None = None
    gradients: bool = False
    conflicts: Sequence[tuple[str, str]] = ()
    block: int = BLOCK
    downscale: int | None = None


@dataclass(frozen=True)
class ViewMaps:
    """The maps of one view beside its rendering; ``photo`` is None where there is none."""

    view: str
    maps: TermMaps
    rgb: Float[np.ndarray, "height width 3"]
    photo: Float[np.ndarray, "height width 3"] | None
    normal: Float[np.ndarray, "height width 3"] | None = None
    conflicts: Sequence[ConflictMap] = field(default_factory=tuple)


def maps_of_run(opened: OpenedRun, request: MapRequest) -> Iterator[ViewMaps]:
    """Yield the maps of the views that were asked for, made one at a time.

    Raises ValueError for views and terms that the run does not have.
    """
    run, at = opened.run, vars(opened.run.trainer.schedule)
    terms = list(run.recipe.terms) if request.terms == ["all"] else request.terms
    for index in chosen_views(opened, request):
        view = map_view(opened.scene, request.split, index, downscale_of(opened, request))
        view, given = _as_rendered(opened, view, request.split)
        maps = term_maps(
            run.model, run.recipe, at, view, terms, given=given, gradients=request.gradients
        )
        conflicts = [
            conflict_map(
                run.model,
                run.recipe,
                at,
                view,
                pair,
                given=given,
                block=request.block,
                progress=opened.progress,
            )
            for pair in request.conflicts
        ]
        yield replace(_rendered(opened, view, {**at, **given}, maps), conflicts=conflicts)


def chosen_views(opened: OpenedRun, request: MapRequest) -> list[int]:
    """Return the indices of the views; ValueError, with some names, for one that is missing."""
    names = _names(opened, request.split)
    if not names:
        raise ValueError(f"the scene of {opened.folder} has no {request.split} views; see --split")
    if not request.views:
        count = min(VIEWS, len(names))
        return np.linspace(0, len(names) - 1, count).round().astype(int).tolist()
    # A name and a number may mean the same view.
    return list(dict.fromkeys(_index_of(word, names, request.split) for word in request.views))


def downscale_of(opened: OpenedRun, request: MapRequest) -> int:
    """Return the factor of the resolution: as asked for, or the least for maps of 256 pixels."""
    if request.downscale is not None:
        return request.downscale
    scene = opened.scene
    cameras = (scene.train if request.split == "train" else scene.test).cameras
    return max(1, -(-max(cameras.width, cameras.height) // LONGEST))


def _names(opened: OpenedRun, split: str) -> Sequence[str]:
    scene = opened.scene
    return (scene.train if split == "train" else scene.test).names


def _index_of(word: str, names: Sequence[str], split: str) -> int:
    if word in names:
        return names.index(word)
    if word.isdigit() and int(word) < len(names):
        return int(word)
    some = ", ".join(names[:3])
    raise ValueError(
        f"--views {word}: the {split} split has {len(names)} views, 0 to {len(names) - 1} or by "
        f"name: {some}{' ...' if len(names) > 3 else ''}"
    )


def _as_rendered(opened: OpenedRun, view: View, split: str) -> tuple[View, dict[str, Any]]:
    """Return a view, and what a batch has beside its rays, as it is rendered.

    A view that was not trained on has the mean of the training images' appearances, and its index
    says nothing of the training views.
    """
    run = opened.run
    batch = run.batches.draw(0, run.batches.least_rays)
    given = batch_constants(batch.targets)
    if split == "train":
        return view, given
    given = {name: value for name, value in given.items() if name == "patch_shape"}
    appearance = run.model.appearance
    if appearance is None:
        return view, given
    # The images' own sizes: a correction may depend on the place in the image.
    size = opened.scene.test.cameras.size(int(view.batch.rays.view[0]))
    rays = replace(view.batch.rays, view=torch.zeros_like(view.batch.rays.view))
    row = appearance.mean().detach()
    return replace(view, batch=Batch(rays, dict(view.batch.targets))), {
        **given,
        **appearance.given(row, *size),
    }


def _rendered(opened: OpenedRun, view: View, given: Mapping[str, Any], maps: TermMaps) -> ViewMaps:
    known = ViewQuantities(opened.run.model, view, given, CHUNK)
    shown = {"rgb", "normal", "opacity"} & known.offers
    known.render_images(shown)
    images = {
        name: view.as_image(image).float().cpu().numpy() for name, image in known.images.items()
    }
    photo = view.batch.targets.get("target_rgb")
    return ViewMaps(
        view.name,
        maps,
        images["rgb"],
        None if photo is None else view.as_image(photo).float().cpu().numpy(),
        images.get("normal"),
    )
