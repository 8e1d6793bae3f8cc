"""Inputs of an evaluation: a model as callables, and what is known of the scene besides images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float
from torch import Tensor

from nerfloss.evaluation.image_rendering import Render, View
from nerfloss.evaluation.mesh_components import VisiblePoints
from nerfloss.evaluation.mesh_extraction import Colors, transformed
from nerfloss.evaluation.region import Region
from nerfloss.evaluation.scores import Score
from nerfloss.evaluation.sparse_lattice import ImplicitFunction
from nerfloss.evaluation.surface_samples import Cloud
from nerfloss.evaluation.view_appearance import ViewAppearance
from nerfloss.evaluation.virtual_scan import VirtualScan

LoadMesh = Callable[[], trimesh.Trimesh]
ReferenceScores = Callable[[trimesh.Trimesh], Mapping[str, Score]]
LoadMeshIfKnown = Callable[[], trimesh.Trimesh | None]


def whole_box() -> None:
    """Return no region: the renderer samples everywhere in the box."""


@dataclass(frozen=True)
class EvaluatedModel:
    """A model as callables. ``offers`` are the quantities that ``render`` can make.

    ``field`` is positive outside and negative inside the solid in the ``box``; ``is_distance`` says
    that its gradient has a length of about 1, so that most of the box need not be evaluated to find
    the surface. ``sampled_region`` returns the part of the box in which the renderer places
    samples, None for all of it; ``visible`` tells which points the training views see.
    ``appearance`` renders whole views whose colours depend on the image; None: ``render`` does.
    """

    render: Render
    offers: frozenset[str]
    box: Float[Tensor, "2 3"]
    field: ImplicitFunction | None = None
    colors: Colors | None = None
    is_distance: bool = True
    sampled_region: Callable[[], Region | None] = whole_box
    visible: VisiblePoints | None = None
    appearance: ViewAppearance | None = None

    def render_of(self, view: View) -> Render:
        """Return a render of the rays of one view."""
        return self.render if self.appearance is None else self.appearance.render_of(view)

    def scored(self, images: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the part of a view's images that counts in its scores."""
        return images if self.appearance is None else self.appearance.scored(images)

    @property
    def image_conventions(self) -> dict[str, str]:
        """Return the conventions of image scores that the model determines."""
        found = self.appearance
        return {} if found is None else {"appearance": found.description}


@dataclass(frozen=True)
class GroundTruth:
    """Knowledge of the scene besides its images.

    ``mesh`` returns the true surface in the data's own coordinates, ``to_world`` is the similarity
    from scene units to these. ``baselines`` return meshes in scene units that are scored as ours
    is, by name. ``conventions`` (background, image range, hold-out rule ...) go with each score.
    ``reference_scores`` compares a mesh in the data's coordinates with a benchmark's geometry.
    ``scan`` are cameras, in scene units, ``cloud`` returns the points of the model's depths.
    """

    mesh: LoadMeshIfKnown | None = None
    to_world: Float[np.ndarray, "4 4"] = field(default_factory=lambda: np.eye(4))
    baselines: Mapping[str, LoadMesh] = field(default_factory=dict)
    conventions: Mapping[str, Any] = field(default_factory=dict)
    reference_scores: ReferenceScores | None = None
    scan: VirtualScan | None = None
    cloud: Cloud | None = None

    def mesh_in_scene_units(self) -> trimesh.Trimesh | None:
        """Return the true mesh in scene units, None where it is unknown."""
        mesh = None if self.mesh is None else self.mesh()
        return None if mesh is None else transformed(mesh, np.linalg.inv(self.to_world))
