"""Synthetic scenes, rendered from exact signed distances, with ground truth."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.image_storage import storage_for
from nerfloss.data.scene import Scene, check_masked_background, describe_masks
from nerfloss.data.settings import SceneSettings
from nerfloss.data.synthetic.analytic_scenes import MODELS, Model
from nerfloss.data.synthetic.camera_layouts import cameras_at, train_and_test_positions
from nerfloss.data.synthetic.exposure_gains import (
    check_exposure_gains,
    exposure_gains,
    with_exposure_gains,
)
from nerfloss.data.synthetic.ground_truth_mesh import surface_mesh
from nerfloss.data.synthetic.monocular_maps import with_monocular_maps
from nerfloss.data.synthetic.pose_noise import PoseNoise
from nerfloss.data.synthetic.rendering import render_views
from nerfloss.data.synthetic.sample_surface_points import sample_surface_points
from nerfloss.data.synthetic.surroundings import check_surroundings, with_surroundings
from nerfloss.data.views import Views
from nerfloss.kernels.threads import torch_threads

CAMERA_RADIUS = 2.7
FIELD_OF_VIEW = 38.0
IMAGES = frozenset(
    {
        "target_rgb",
        "target_depth",
        "target_relative_depth",
        "target_disparity",
        "target_normal",
        "target_label",
        "target_instance",
    }
)
POINTS = frozenset({"target_points", "target_point_normals", "target_point_confidence"})


@dataclass(frozen=True)
class AnalyticDataset(SceneSettings):
    """One of `analytic_scenes`, with cameras on a sphere around it.

    ``views`` training views and ``test_views`` test views, ``size`` x ``size`` pixels each.
    ``seed`` rotates the camera layout. ``supersampling``^2 rays are averaged per pixel along
    edges. With ``one_sided_views`` all training cameras are at x > 0. ``mesh`` replaces the exact
    surface as ground truth. ``surroundings`` is what the images show behind the object: ``none``
    (nothing: ``background`` applies) or a textured ``sphere``. ``points`` is the number of sparse
    surface points, with noise of ``point_noise`` scene units at confidence 0. ``exposure_gains``
    are the lowest and the highest exposure of the training views, in random order by ``seed``
    (None: all 1); that of test views is 1. ``pose_noise`` are the settings of a
    `PoseNoise` on the training cameras, after their images and points are made.
    """

    scene: str = "craters"
    views: int = 60
    test_views: int = 12
    size: int = 128
    seed: int = 0
    supersampling: int = 2
    one_sided_views: bool = False
    surroundings: str = "none"
    points: int = 2000
    point_noise: float | int = 0.005
    exposure_gains: Any = None
    pose_noise: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_masked_background(self.background, self.masks)
        check_exposure_gains(self.exposure_gains)
        if self.scene not in MODELS:
            choices = ", ".join(MODELS)
            raise ValueError(
                f"dataset.scene={self.scene!r} is not an analytic scene; choose from {choices}"
            )
        check_surroundings(self.surroundings)
        for name in ("views", "test_views", "size", "supersampling"):
            if getattr(self, name) < 1:
                raise ValueError(f"dataset.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("points", "point_noise"):
            if getattr(self, name) < 0:
                raise ValueError(f"dataset.{name} must not be negative, got {getattr(self, name)}")
        PoseNoise.of(self.pose_noise or {})

    @property
    def offers(self) -> frozenset[str]:
        masks = {"target_mask"} if self.masks else set()
        points = POINTS if self.points else set()
        return IMAGES | masks | points

    # Idle threads that sleep are woken for every operation: two threads would take longer, too.
    @torch_threads(1)
    def load(self) -> Scene:
        """Render the scene, the same for any number of threads; a second at the default size."""
        ground_truth = self.load_mesh()
        model = MODELS[self.scene]()
        kinds = ("background", *model.kinds)
        train_positions, test_positions = train_and_test_positions(
            self.views, self.test_views, CAMERA_RADIUS, self.seed
        )
        if self.one_sided_views:
            x, yz = train_positions.split((1, 2), dim=1)
            train_positions = torch.cat([x.abs(), yz], dim=1)
        positions = torch.cat([train_positions, test_positions])
        cameras = cameras_at(positions, self.size, FIELD_OF_VIEW)
        names = [f"train_{i:03d}" for i in range(self.views)]
        names += [f"test_{i:03d}" for i in range(self.test_views)]
        views = render_views(model, cameras, tuple(names), self.supersampling)
        views = with_monocular_maps(with_surroundings(views, self.surroundings))
        size = sum(image.nbytes for image in views.images.values())
        views = replace(
            views.stored_in(storage_for(self.image_storage, size)), image_storage=self.image_storage
        )
        train = self._exposed(self._with_points(model, views[: self.views]))
        train, true_cameras = self._with_pose_noise(train)
        return Scene(
            name=self.scene,
            train=train if self.masks else train.without_masks(self._background),
            test=views[self.views :],
            to_world=np.eye(4),
            background=self._background,
            ground_truth=ground_truth or (lambda: surface_mesh(model.sdf)),
            sdf=model.sdf,
            true_cameras=true_cameras,
            conventions={
                "units": "scene units: the object fits the unit ball",
                "image_range": "0 to 1, from 8 bit",
                "background": self._background,
                "hold_out": f"{self.test_views} cameras between the {self.views} of training",
                "mask": describe_masks("opacity: share of a pixel's rays that hit", self.masks),
                "classes": ", ".join(f"{i} {kind}" for i, kind in enumerate(kinds)),
                **self._exposure_convention(),
            },
        )

    def _exposed(self, views: Views) -> Views:
        if self.exposure_gains is None:
            return views
        low, high = self.exposure_gains
        return with_exposure_gains(views, exposure_gains(low, high, len(views), self.seed))

    def _exposure_convention(self) -> dict[str, str]:
        if self.exposure_gains is None:
            return {}
        low, high = self.exposure_gains
        return {"exposure": f"gains of {low:g} to {high:g} in training views, 1 in test views"}

    def _with_pose_noise(self, views: Views) -> tuple[Views, Cameras | None]:
        """Return the views with noise on their cameras, and the true cameras if there is any."""
        noise = PoseNoise.of(self.pose_noise or {})
        if not noise:
            return views, None
        return replace(views, cameras=noise(views.cameras, self.seed)), views.cameras

    @property
    def _background(self) -> str:
        """The background of the scene: none where what is behind is part of the images."""
        shown = self.surroundings != "none" and not self.masks
        return "none" if shown else self.background

    def _with_points(self, model: Model, views: Views) -> Views:
        if not self.points:
            return views
        noise = float(self.point_noise)
        points = sample_surface_points(
            model.sdf, views.cameras, self.points, noise=noise, seed=self.seed
        )
        return replace(views, points=points)
