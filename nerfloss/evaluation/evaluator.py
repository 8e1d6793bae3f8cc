"""Evaluate a model: render views, score images, extract a mesh, score its geometry."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import trimesh
from torch import Tensor

from nerfloss.evaluation.errors import reason_for
from nerfloss.evaluation.image_grid import RENDERED, image_name, write_image_grid
from nerfloss.evaluation.image_rendering import View, as_observed_where_ignored, render_view
from nerfloss.evaluation.inputs import EvaluatedModel, GroundTruth, LoadMesh
from nerfloss.evaluation.mesh_extraction import MeshExtraction
from nerfloss.evaluation.metrics.metadata import Metric, measured, metadata_of, settings_used
from nerfloss.evaluation.model_mesh import mesh_of_model
from nerfloss.evaluation.oom_retry import ChunkSize
from nerfloss.evaluation.protocols.protocol import protocol_named
from nerfloss.evaluation.scored_views import check_views
from nerfloss.evaluation.scores import Evaluation, Score, mean_score
from nerfloss.evaluation.surface_samples import Surface, SurfacePair
from nerfloss.evaluation.surface_scores import (
    LESS_MEMORY,
    dropped_part_scores,
    score_surface,
    true_surface,
)
from nerfloss.evaluation.view_appearance import Choice, check_choice
from nerfloss.evaluation.view_scores import quantities_to_render, score_view
from nerfloss.evaluation.world_mesh import world_mesh

log = logging.getLogger(__name__)

# A view's name and its scores.
ScoredView = tuple[str, dict[str, Score]]
NOT_MEASURED = Score(None, reason="the weights of this metric are on one machine only")
Gather = Callable[[list[ScoredView]], list[ScoredView]]


@dataclass(frozen=True)
class Evaluator:
    """Metrics and the settings of an evaluation.

    ``metrics`` take quantities of a view, ``geometry`` those that a `SurfacePair` offers. ``mesh``
    extracts the surface (None: no mesh). ``points`` and ``seed`` sample it, ``exact_points`` of
    them have an exact distance to the triangles. ``chunk`` is the number of rays rendered at once;
    ``images`` writes a grid of images per view, ``video`` asks for an orbit, which the run writes.
    ``appearance`` is the choice for views that were not trained on
    (`nerfloss.evaluation.view_appearance`). ``download`` tells whether metrics may download
    weights; it is read by the settings of these metrics. ``protocol`` names the rules of a
    benchmark (`nerfloss.evaluation.protocols`), which stand beside each score;
    ``reference`` is the file of its scanned points, where the scene has none. ``views`` tells how
    many views of the split are to be passed (`nerfloss.evaluation.scored_views`): auto, all, or a
    number.
    """

    metrics: Mapping[str, Metric] = field(default_factory=dict)
    geometry: Mapping[str, Metric] = field(default_factory=dict)
    mesh: MeshExtraction | None = field(default_factory=MeshExtraction)
    split: str = "test"
    views: int | str = "auto"
    images: bool = True
    video: bool = False
    chunk: int = 16384
    points: int = 200_000
    exact_points: int = 10_000
    seed: int = 0
    appearance: Choice = "mean"
    download: bool = True
    protocol: str | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        if self.split not in ("train", "test"):
            raise ValueError(f"eval.split='{self.split}' is no split: use train or test")
        check_views(self.views)
        check_choice(self.appearance)
        protocol_named(self.protocol)
        if self.chunk < 1:
            raise ValueError(f"eval.chunk must be at least 1, got {self.chunk}")
        object.__setattr__(self, "metrics", measured(self.metrics, "eval.metrics"))
        object.__setattr__(self, "geometry", measured(self.geometry, "eval.geometry"))

    def __call__(
        self,
        model: EvaluatedModel,
        views: Iterable[View],
        ground_truth: GroundTruth,
        folder: Path | None = None,
        *,
        gather: Gather = list,
    ) -> Evaluation:
        """Score the model on the views, one at a time, and its surface.

        Image grids go to ``folder``/images; `Evaluation.write` writes the rest. Where several
        processes score views, ``gather`` joins their lists. A mesh or a geometry score that fails
        costs no other score: its reason stands in the result.
        """
        scored = gather(self.score_views(model, views, folder))
        known = {**ground_truth.conventions, **model.image_conventions}
        scores, rows = self.mean_scores(scored, replace(ground_truth, conventions=known))
        extracted, reason = mesh_of_model(model, self.mesh)
        mesh = None if extracted is None else extracted.mesh
        # A metric of images that has the name of a geometry metric keeps it.
        for name, score in self.score_geometry(mesh, reason, ground_truth).items():
            scores[f"geometry_{name}" if name in self.metrics else name] = score
        if extracted is None:
            return Evaluation(scores, tuple(rows))
        scores |= dropped_part_scores(extracted)
        chunk = (self.mesh or MeshExtraction()).chunk
        mesh = world_mesh(extracted.mesh, model, ground_truth, chunk)
        if mesh is not None and ground_truth.reference_scores is not None:
            scores |= ground_truth.reference_scores(mesh)
        return Evaluation(scores, tuple(rows), mesh)

    def score_views(
        self, model: EvaluatedModel, views: Iterable[View], folder: Path | None
    ) -> list[ScoredView]:
        """Return each view's name and scores, and write its image grid."""
        write_images = self.images and folder is not None
        scored, chunk = [], ChunkSize(self.chunk, "eval.chunk")
        for view in views:
            quantities = self.render_quantities(
                model, view, metrics=self.metrics, for_image_grid=write_images, chunk=chunk
            )
            images = model.scored(quantities)
            scored.append((view.name, score_view(self.metrics, images, model.offers)))
            if write_images and folder is not None:
                # After one failure, such as a full disk, no more are written.
                path = folder / "images" / f"{image_name(view.name)}.png"
                write_images = write_image_grid(quantities, path)
        return scored

    def render_quantities(
        self,
        model: EvaluatedModel,
        view: View,
        *,
        metrics: Mapping[str, Metric],
        for_image_grid: bool,
        chunk: ChunkSize | None = None,
    ) -> dict[str, Tensor]:
        """Return the quantities of one view, as images, that metrics and an image grid need.

        ``chunk`` carries over the number of rays for which memory sufficed in the last view.
        """
        device = model.box.device
        targets = {k: view.as_image(v.to(device)) for k, v in view.batch.targets.items()}
        needs = quantities_to_render(metrics, model.offers, targets)
        if for_image_grid:
            needs |= model.offers.intersection(RENDERED)
        chunk = chunk or ChunkSize(self.chunk, "eval.chunk")
        rendered = render_view(model.render_of(view), view, needs, chunk=chunk)
        return {**targets, **as_observed_where_ignored(rendered, targets, view.counts)}

    def mean_scores(
        self, scored: Sequence[ScoredView], ground_truth: GroundTruth
    ) -> tuple[dict[str, Score], list[dict[str, Any]]]:
        """Return mean scores over the views, and a row of scores per view."""
        rows = [
            {"view": view, **{name: score.value for name, score in scores.items()}}
            for view, scores in scored
        ]
        return {
            name: mean_score(
                # A process on another machine may have left out an optional metric.
                [scores.get(name, NOT_MEASURED) for _, scores in scored],
                self._conventions(metric, ground_truth),
            )
            for name, metric in self.metrics.items()
        }, rows

    def score_geometry(
        self, mesh: trimesh.Trimesh | None, reason: str | None, ground_truth: GroundTruth
    ) -> dict[str, Score]:
        """Return scores of the mesh by name, and of each baseline by ``<baseline>_<name>``."""
        target, why_no_target = None, reason
        # The baselines are there to be compared with the mesh: without one they are not sampled.
        if mesh is not None or self.mesh is not None:
            target, why_no_target = true_surface(ground_truth, self.points, self.seed + 1)
        scores: dict[str, Score] = {}
        shared = {"scene_unit": ground_truth.conventions.get("units", "")}
        own = self.mesh or MeshExtraction()
        own_settings = {"resolution": own.resolution, "components": own.components}
        candidates: dict[str, LoadMesh | None] = {"": None if mesh is None else lambda: mesh}
        for name, load in {**candidates, **ground_truth.baselines}.items():
            pair, why = None, why_no_target or reason
            if load is not None and target is not None:
                try:
                    surface = Surface(load(), self.points, self.seed)
                    cloud = None if name else ground_truth.cloud
                    pair = SurfacePair(surface, target, self.exact_points, ground_truth.scan, cloud)
                except Exception as error:
                    why = reason_for(error, f"the mesh of baseline '{name}'", LESS_MEMORY)
            conventions = shared | ({"baseline": name} if name else own_settings)
            for key, score in score_surface(
                self.geometry, pair, reason=why, conventions=conventions
            ).items():
                scores[f"{name}_{key}" if name else key] = score
        return scores

    def _conventions(self, metric: Metric, ground_truth: GroundTruth) -> dict[str, Any]:
        known = {key: value for key, value in ground_truth.conventions.items() if key != "units"}
        protocol = protocol_named(self.protocol)
        known |= protocol.conventions if protocol is not None and protocol.fixes_images else {}
        own = {"split": self.split, **metadata_of(metric).conventions, "mean": "over views"}
        return {**known, **own, **settings_used(metric)}
