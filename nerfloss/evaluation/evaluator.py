"""Judge a model: its images against held-out views, its surface against the true one."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import trimesh
from jaxtyping import Float
from torch import Tensor

from nerfloss.evaluation.errors import UndefinedMetric
from nerfloss.evaluation.image_grid import WANTED, panel
from nerfloss.evaluation.image_rendering import Render, View, render_view
from nerfloss.evaluation.mesh_extraction import Colors, MeshExtraction, colored, transformed
from nerfloss.evaluation.metrics.metadata import measure_of, settings_used
from nerfloss.evaluation.octree_sampling import Field
from nerfloss.evaluation.oom_retry import ChunkSize
from nerfloss.evaluation.scores import Evaluation, Score, mean_score
from nerfloss.evaluation.surface_samples import Surface, SurfacePair
from nerfloss.evaluation.surface_scores import score_surface
from nerfloss.evaluation.view_scores import rendered_needs, score_view
from nerfloss.files import atomic_write

log = logging.getLogger(__name__)

# A view's name, and its scores.
JudgedView = tuple[str, dict[str, Score]]
Gather = Callable[[list[JudgedView]], list[JudgedView]]


@dataclass(frozen=True)
class EvaluatedModel:
    """What is judged, as callables. ``offers`` are the quantities that ``render`` can make.

    ``field`` is positive outside and negative inside the box's solid; ``is_distance`` says that its
    slope is about 1, so that most of the box need not be looked at to find the surface.
    """

    render: Render
    offers: frozenset[str]
    box: Float[Tensor, "2 3"]
    field: Field | None = None
    colors: Colors | None = None
    is_distance: bool = True


@dataclass(frozen=True)
class GroundTruth:
    """What is known of the scene besides images.

    ``mesh`` is the true surface in the data's own coordinates, ``to_world`` the similarity that
    leads there from scene units. ``baselines`` are meshes in scene units to be scored beside ours,
    by name. ``conventions`` (background, image range, hold-out rule ...) go beside each number.
    """

    mesh: trimesh.Trimesh | None = None
    to_world: Float[np.ndarray, "4 4"] = field(default_factory=lambda: np.eye(4))
    baselines: Mapping[str, trimesh.Trimesh] = field(default_factory=dict)
    conventions: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def mesh_in_scene(self) -> trimesh.Trimesh | None:
        """The true mesh in scene units."""
        return None if self.mesh is None else transformed(self.mesh, np.linalg.inv(self.to_world))


@dataclass(frozen=True)
class Evaluator:
    """Which metrics, and with what effort.

    ``metrics`` ask for quantities of a view, ``geometry`` for what a `SurfacePair` offers;
    ``mesh`` (null: none) says how a surface is extracted, ``points`` and ``seed`` how it is
    sampled, ``chunk`` how many rays are rendered at once, ``images`` whether a panel per
    view is written.
    """

    metrics: Mapping[str, Callable] = field(default_factory=dict)
    geometry: Mapping[str, Callable] = field(default_factory=dict)
    mesh: MeshExtraction | None = field(default_factory=MeshExtraction)
    split: str = "test"
    images: bool = True
    chunk: int = 16384
    points: int = 200_000
    exact_points: int = 10_000
    seed: int = 0

    def __call__(
        self,
        subject: EvaluatedModel,
        views: Iterable[View],
        truth: GroundTruth,
        folder: Path | None = None,
        *,
        gathered: Gather = list,
    ) -> Evaluation:
        """Judge the subject on the views, one at a time, and on its surface.

        Panels go to ``folder``/images; the result writes the rest (`Evaluation.write`). Where
        several processes judge views, ``gathered`` makes one list of theirs.
        """
        judged = gathered(self.judged(subject, views, folder))
        scores, rows = self.score_views(judged, truth)
        mesh, reason = self.extract(subject)
        scores = {**scores, **self.score_geometry(mesh, reason, truth)}
        world = None
        if mesh is not None:
            if subject.colors is not None:
                how = self.mesh or MeshExtraction()
                device = subject.box.device
                mesh = colored(mesh, subject.colors, device=device, chunk=how.chunk)
            world = transformed(mesh, truth.to_world)
        return Evaluation(scores, tuple(rows), world)

    def look_at(
        self,
        subject: EvaluatedModel,
        view: View,
        *,
        metrics: Mapping[str, Callable],
        pictured: bool,
        chunk: ChunkSize | None = None,
    ) -> dict[str, Tensor]:
        """Quantities of one view as images: those for the metrics, and those for a panel.

        ``chunk`` is how many rays the view before it left memory for; None: as many as are set.
        """
        device = subject.box.device
        targets = {k: view.as_image(v.to(device)) for k, v in view.batch.targets.items()}
        needs = rendered_needs(metrics, subject.offers, targets)
        if pictured:
            needs |= subject.offers.intersection(WANTED)
        chunk = chunk or self._rays_at_once()
        return {**targets, **render_view(subject.render, view, needs, chunk=chunk)}

    def judged(
        self, subject: EvaluatedModel, views: Iterable[View], folder: Path | None
    ) -> list[JudgedView]:
        """Each view's name and scores; its panel is written."""
        pictured = self.images and folder is not None
        rows, chunk = [], self._rays_at_once()
        for view in views:
            quantities = self.look_at(
                subject, view, metrics=self.metrics, pictured=pictured, chunk=chunk
            )
            rows.append((view.name, score_view(self.metrics, quantities, subject.offers)))
            if pictured and folder is not None:
                # Where one does not fit on the disk, neither will the others.
                path = folder / "images" / f"{Path(view.name).stem}.png"
                pictured = write_panel(quantities, path)
        return rows

    def score_views(
        self, judged: Sequence[JudgedView], truth: GroundTruth
    ) -> tuple[dict[str, Score], list[dict[str, Any]]]:
        """Mean scores over the views, and a row per view."""
        rows = [
            {"view": view, **{name: s.value for name, s in found.items()}} for view, found in judged
        ]
        return {
            name: mean_score([found[name] for _, found in judged], self._conventions(metric, truth))
            for name, metric in self.metrics.items()
        }, rows

    def _rays_at_once(self) -> ChunkSize:
        return ChunkSize(self.chunk, "eval.chunk")

    def _conventions(self, metric: Callable, truth: GroundTruth) -> dict[str, Any]:
        measure = measure_of(metric)
        known = {key: value for key, value in truth.conventions.items() if key != "units"}
        said = {"split": self.split, "units": measure.units, "better": measure.better}
        return {**known, **said, "mean": "over views", **settings_used(metric)}

    def extract(self, subject: EvaluatedModel) -> tuple[trimesh.Trimesh | None, str | None]:
        """The subject's surface in scene units, or None and the reason."""
        if self.mesh is None:
            return None, "no mesh was asked for (eval.mesh=null)"
        if subject.field is None:
            return None, "the model has no surface to extract"
        steepest = self.mesh.lipschitz if subject.is_distance else None
        try:
            return replace(self.mesh, lipschitz=steepest)(subject.field, subject.box), None
        except UndefinedMetric as empty:
            return None, str(empty)

    def score_geometry(
        self, mesh: trimesh.Trimesh | None, reason: str | None, truth: GroundTruth
    ) -> dict[str, Score]:
        """Scores of our mesh by their names, and of each baseline by ``<baseline>_<name>``."""
        true = truth.mesh_in_scene
        if true is None:
            reason = "no true surface is known: give its mesh as dataset.mesh=<file>"
        target = None if true is None else Surface(true, self.points, self.seed + 1)
        scores: dict[str, Score] = {}
        said: dict[str, Any] = {"scene_unit": truth.conventions.get("units", "")}
        how = self.mesh or MeshExtraction()
        extraction = {"resolution": how.resolution, "largest_component": how.largest_component}
        for name, one in {"": mesh, **truth.baselines}.items():
            pair = None
            if one is not None and target is not None:
                ours = Surface(one, self.points, self.seed)
                pair = SurfacePair(ours, target, self.exact_points)
            extra = {"baseline": name} if name else extraction
            found = score_surface(self.geometry, pair, reason=reason, conventions=said | extra)
            scores.update({f"{name}_{key}".lstrip("_"): score for key, score in found.items()})
        return scores


def write_panel(quantities: Mapping[str, Tensor], path: Path) -> bool:
    """Write a view's panel as a PNG; False, with a warning, where the disk does not take it."""
    try:
        atomic_write(path, iio.imwrite("<bytes>", panel(quantities), extension=".png"))
    except OSError as error:
        log.warning("no picture: %s", error)
        return False
    return True
