"""Judge a model: its images against held-out views, its surface against the true one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import trimesh
from jaxtyping import Float
from torch import Tensor

from nerfloss.evaluation.image_rendering import Render, View, render_view
from nerfloss.evaluation.measures import measure_of, settings_used
from nerfloss.evaluation.mesh import Colors, MeshExtraction, colored, transformed
from nerfloss.evaluation.panels import WANTED, panel
from nerfloss.evaluation.scores import Evaluation, Score, mean_score
from nerfloss.evaluation.sparse_lattice import Field
from nerfloss.evaluation.surface_scores import score_surface
from nerfloss.evaluation.surfaces import Surface, SurfacePair
from nerfloss.evaluation.undefined import UndefinedMetric
from nerfloss.evaluation.view_scores import rendered_needs, score_view


@dataclass(frozen=True)
class Subject:
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
class Truth:
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
    chunk: int = 8192
    points: int = 200_000
    exact_points: int = 10_000
    seed: int = 0

    def __call__(
        self, subject: Subject, views: Iterable[View], truth: Truth, folder: Path | None = None
    ) -> Evaluation:
        """Judge the subject on the views, one at a time, and on its surface.

        Panels go to ``folder``/images; the result writes the rest (`Evaluation.write`).
        """
        scores, rows = self.score_views(subject, views, truth, folder)
        mesh, reason = self.extract(subject)
        scores = {**scores, **self.score_geometry(mesh, reason, truth)}
        world = None
        if mesh is not None:
            if subject.colors is not None:
                mesh = colored(mesh, subject.colors, device=subject.box.device)
            world = transformed(mesh, truth.to_world)
        return Evaluation(scores, tuple(rows), world)

    def look_at(
        self, subject: Subject, view: View, *, metrics: Mapping[str, Callable], pictured: bool
    ) -> dict[str, Tensor]:
        """Quantities of one view as images: those for the metrics, and those for a panel."""
        device = subject.box.device
        targets = {k: view.as_image(v.to(device)) for k, v in view.batch.targets.items()}
        needs = rendered_needs(metrics, subject.offers, targets)
        if pictured:
            needs |= subject.offers.intersection(WANTED)
        return {**targets, **render_view(subject.render, view, needs, chunk=self.chunk)}

    def score_views(
        self, subject: Subject, views: Iterable[View], truth: Truth, folder: Path | None
    ) -> tuple[dict[str, Score], list[dict[str, Any]]]:
        """Mean scores over the views, and a row per view."""
        pictured = self.images and folder is not None
        parts: dict[str, list[Score]] = {name: [] for name in self.metrics}
        rows = []
        for view in views:
            quantities = self.look_at(subject, view, metrics=self.metrics, pictured=pictured)
            found = score_view(self.metrics, quantities, subject.offers)
            rows.append({"view": view.name, **{name: s.value for name, s in found.items()}})
            for name, score in found.items():
                parts[name].append(score)
            if pictured and folder is not None:
                write_panel(quantities, folder / "images" / f"{Path(view.name).stem}.png")
        return {
            name: mean_score(parts[name], self._conventions(metric, truth))
            for name, metric in self.metrics.items()
        }, rows

    def _conventions(self, metric: Callable, truth: Truth) -> dict[str, Any]:
        measure = measure_of(metric)
        known = {key: value for key, value in truth.conventions.items() if key != "units"}
        said = {"split": self.split, "units": measure.units, "better": measure.better}
        return {**known, **said, "mean": "over views", **settings_used(metric)}

    def extract(self, subject: Subject) -> tuple[trimesh.Trimesh | None, str | None]:
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
        self, mesh: trimesh.Trimesh | None, reason: str | None, truth: Truth
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


def write_panel(quantities: Mapping[str, Tensor], path: Path) -> None:
    """Write a view's panel as a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    iio.imwrite(path, panel(quantities))
