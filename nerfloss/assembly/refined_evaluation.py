"""Evaluation of a run with refined cameras: fitted test views, and errors of the cameras."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from math import degrees
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.assembly.eval_adapter import views_of
from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.pixel_samplers.batch import Batch
from nerfloss.data.scene import Scene
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.image_rendering import View
from nerfloss.evaluation.inputs import EvaluatedModel, GroundTruth
from nerfloss.evaluation.scored_views import ScoredViews
from nerfloss.evaluation.scores import Evaluation, Score
from nerfloss.geometry import Rays
from nerfloss.maths.rotations import aligned_poses, rotation_angle
from nerfloss.models import Model
from nerfloss.quantities.signature import inputs_of
from nerfloss.training.distributed.process_group import ProcessGroup

log = logging.getLogger(__name__)

SUFFIX = "_refined"


def refined_scene(scene: Scene, model: Model) -> Scene:
    """Return the scene with the training cameras as the model has corrected them."""
    if model.cameras is None:
        return scene
    cameras = model.cameras.refined(scene.train.cameras)
    return replace(scene, train=replace(scene.train, cameras=cameras))


def camera_errors(scene: Scene, model: Model) -> dict[str, Score]:
    """Return the mean errors of the training cameras where the true ones are known, else nothing.

    The similarity that brings them nearest to the true ones is removed first: it moves the world.
    """
    if scene.true_cameras is None:
        return {}
    refined = refined_scene(scene, model).train.cameras
    scores = {}
    for name, cameras in {"": refined, "_given": scene.train.cameras}.items():
        angle, distance = _errors(cameras, scene.true_cameras)
        shared = {"better": "lower", "mean": "over training views", "alignment": "similarity"}
        scores[f"camera_rotation_error{name}"] = Score(angle, {"units": "degrees", **shared})
        scores[f"camera_position_error{name}"] = Score(distance, {"units": "scene units", **shared})
    return scores


def with_refined_cameras(
    found: Evaluation,
    model: Model,
    subject: EvaluatedModel,
    scene: Scene,
    evaluator: Evaluator,
    at: Mapping[str, Any],
    group: ProcessGroup,
    chosen: ScoredViews,
) -> Evaluation:
    """Add the errors of cameras, where the true ones are known, and scores of fitted test views.

    Where the model refines cameras, the pose of each of the ``chosen`` test views is fitted to its
    image, with the scene as it is. The scores of colours are computed again, with the suffix
    ``_refined``; those of the cameras as given keep their names.
    """
    found = replace(found, scores={**found.scores, **camera_errors(scene, model)})
    if model.cameras is None or evaluator.split != "test":
        return found
    of_colors = {n: m for n, m in evaluator.metrics.items() if "target_rgb" in inputs_of(m)}
    fitting = replace(evaluator, metrics=of_colors, images=False)
    views = views_of(scene, "test", chosen.indices[group.rank :: group.size])
    with _frozen(model):
        scored = fitting.score_views(subject, _fitted(model, views, at), None)
    scored = group.gather_interleaved(scored)
    conventions = {**scene.conventions, **chosen.conventions}
    means, rows = fitting.mean_scores(scored, GroundTruth(conventions=conventions))
    scores = {
        f"{name}{SUFFIX}": replace(score, conventions={**score.conventions, "cameras": "fitted"})
        for name, score in means.items()
        if score.value is not None
    }
    more = {row["view"]: {f"{k}{SUFFIX}": v for k, v in row.items() if k != "view"} for row in rows}
    views = tuple({**row, **more.get(row["view"], {})} for row in found.views)
    return replace(found, scores={**found.scores, **scores}, views=views)


def _fitted(model: Model, views: Iterator[View], at: Mapping[str, Any]) -> Iterator[View]:
    """Yield the views with their poses fitted, one at a time."""
    cameras, device = model.cameras, model.field.box.device
    assert cameras is not None

    for view in views:
        count = view.height * view.width
        counted = torch.ones(count, dtype=torch.bool) if view.counts is None else view.counts
        pixels = counted.reshape(-1).nonzero()[:, 0].to(device)
        rays, target = view.batch.rays.to(device), view.batch.targets["target_rgb"].to(device)
        with torch.enable_grad():
            fitted = cameras.fit_view(_render_colors(model, view, at), rays, target, pixels)
        yield replace(view, batch=Batch(fitted, dict(view.batch.targets)))


def _render_colors(
    model: Model, view: View, at: Mapping[str, Any]
) -> Callable[[Rays, Rays], Float[Tensor, "rays 3"]]:
    """Return a render of colours, in the mean appearance if there is one.

    Samples are placed along the first rays and rendered along the second.
    """
    given: dict[str, Any] = dict(at)
    if model.appearance is not None:
        mean = model.appearance.mean().detach()
        given |= model.appearance.given(mean, *view.image_size)

    def render(placed: Rays, rays: Rays) -> Float[Tensor, "rays 3"]:
        rays = replace(rays, view=torch.zeros_like(rays.view))
        samples = replace(model.sampler(model.field, placed, None), rays=rays)
        return model.render(samples, {"rgb"}, given=given)["rgb"]

    return render


@contextmanager
def _frozen(model: Model) -> Iterator[None]:
    """Stop gradients to the model's parameters in the ``with`` block."""
    parameters = [each for group in model.parameter_groups().values() for each in group]
    parameters = [each for each in parameters if each.requires_grad]
    for each in parameters:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in parameters:
            each.requires_grad_(True)


def _errors(cameras: Cameras, true: Cameras) -> tuple[float, float]:
    """Return the mean angle, in degrees, and the mean distance between cameras and true ones."""
    poses, target = cameras.poses.double().cpu(), true.poses.double().cpu()
    aligned = aligned_poses(poses, target)
    angle = rotation_angle(aligned[:, :, :3] @ target[:, :, :3].mT).mean()
    distance = (aligned[:, :, 3] - target[:, :, 3]).norm(dim=-1).mean()
    return degrees(float(angle)), float(distance)
