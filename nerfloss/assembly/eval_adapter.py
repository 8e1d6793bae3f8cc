"""Adapt a model and a scene to the evaluator: callables, views, ground truth."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

from nerfloss.assembly.appearance_of_views import appearance_of_views
from nerfloss.assembly.training_visibility import TrainingVisibility
from nerfloss.data.pixel_samplers.batch import image_batch
from nerfloss.data.scene import Scene
from nerfloss.data.views import Views
from nerfloss.data.visual_hull import cell_centers, hull_mesh, visual_hull
from nerfloss.evaluation.image_rendering import View
from nerfloss.evaluation.inputs import EvaluatedModel, GroundTruth
from nerfloss.evaluation.region import Region
from nerfloss.geometry import Rays
from nerfloss.models import Model
from nerfloss.quantities.signature import inputs_of

HULL_RESOLUTION = 128
# Masks are known to a pixel or two; the same margin bounds where the sampler places samples.
HULL_MARGIN = 3  # pixels


def evaluated_model(
    model: Model,
    at: Mapping[str, Any],
    training: Views,
    *,
    split: str = "test",
    appearance: str = "mean",
) -> EvaluatedModel:
    """Return a model at a moment ``at`` of its training (``step``, ``progress``) as callables.

    ``training`` are the views that it was trained on: they bound and support its surface. Views of
    ``split`` are rendered with the ``appearance`` of that choice, where the model has one.
    """
    field = model.field

    def render(rays: Rays, needs: Collection[str]) -> Mapping[str, Tensor]:
        return model(rays.to(field.box.device), needs, given=at)

    def colors(
        points: Float[Tensor, "points 3"],
        normals: Float[Tensor, "points 3"],
        directions: Float[Tensor, "points 3"],
    ) -> Float[Tensor, "points 3"]:
        """Return colours of surface points, seen along unit directions."""
        inputs = inputs_of(field.appearance)
        known = {"positions": points, "normals": normals, "directions": directions}
        known |= field(points, set(inputs) & field.offers)
        if "image_embedding" in inputs and model.appearance is not None:
            known["image_embedding"] = model.appearance.mean().expand(len(points), -1)
        return field.appearance(*(known[name] for name in inputs))

    return EvaluatedModel(
        render,
        model.offers(),
        field.box,
        field.implicit,
        colors,
        is_distance="sdf" in field.offers,
        sampled_region=lambda: sampled_region(model, training),
        visible=TrainingVisibility(render, training.cameras.to(field.box.device)),
        appearance=appearance_of_views(model, at, split, appearance),
    )


def sampled_region(model: Model, training: Views) -> Region | None:
    """Return where samples are placed, as far as the training masks allow; None: everywhere.

    With masks that is inside their visual hull and the unit ball.
    """
    box = model.field.box
    sampled = model.sampler.sampled_region(model.field)
    cells = None if sampled is None else sampled.cpu().numpy()
    if training.mask is not None:
        resolution = HULL_RESOLUTION if cells is None else len(cells)
        hull = visual_hull(training, box.cpu(), resolution, dilate=HULL_MARGIN)
        # The object lies in the unit ball; in the corners beyond it few images reach.
        distance = cell_centers(box.cpu(), resolution).norm(dim=1)
        hull &= (distance <= 1).reshape(hull.shape)
        # One cell more: a hull holds the cells whose centres are inside.
        wide = torch.nn.functional.max_pool3d(hull[None].float(), 3, stride=1, padding=1)[0] > 0
        cells = wide.numpy() if cells is None else cells & wide.numpy()
    return None if cells is None or cells.all() else Region(cells)


def views_of(scene: Scene, split: str, indices: Sequence[int] | None = None) -> Iterator[View]:
    """Yield the views of a split, or those with the ``indices``, as images, made one at a time."""
    chosen = range(len(_split(scene, split))) if indices is None else indices
    return (view_at(scene, split, index) for index in chosen)


def view_at(scene: Scene, split: str, index: int) -> View:
    """Return one view of a split as an image to evaluate on."""
    views = _split(scene, split)
    batch = image_batch(views, index, scene.background)
    width, height = views.cameras.size(index)
    counts = views.counts(index)
    if counts is None or views.ignore is None:
        return View(views.names[index], batch, height, width)
    return View(
        views.names[index],
        batch,
        height,
        width,
        torch.from_numpy(counts[:height, :width]),
    )


def nearest_training_view(scene: Scene, index: int) -> int:
    """Return the training view whose camera has the direction nearest to that of a test view."""
    position = scene.test.cameras.poses[index, :, 3]
    cosines = cosine_similarity(scene.train.cameras.poses[:, :, 3], position[None])
    return int(cosines.argmax())


def ground_truth_of(scene: Scene, box: Float[Tensor, "2 3"]) -> GroundTruth:
    """Return what is known of a scene; with masks, their visual hull is the baseline ``hull``."""
    baselines, box = {}, box.cpu()
    if scene.has_mesh and scene.train.mask is not None:
        baselines["hull"] = lambda: hull_mesh(visual_hull(scene.train, box, HULL_RESOLUTION), box)
    return GroundTruth(lambda: scene.mesh, scene.to_world, baselines, scene.conventions)


def _split(scene: Scene, split: str) -> Views:
    if split not in ("train", "test"):
        raise ValueError(f"eval.split={split!r} is no split: use train or test")
    return scene.train if split == "train" else scene.test
