"""Synthetic scenes, rendered from exact signed distances, with full ground truth."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from nerfloss.data.formats.meshes import read_mesh
from nerfloss.data.image_storage import check_image_storage, storage_for
from nerfloss.data.scene import Scene, check_background, describe_masks
from nerfloss.data.synthetic.analytic_scenes import MODELS, Model
from nerfloss.data.synthetic.camera_layouts import cameras_at, train_and_test_positions
from nerfloss.data.synthetic.ground_truth_mesh import surface_mesh
from nerfloss.data.synthetic.rendering import photograph
from nerfloss.data.synthetic.sample_surface_points import sample_surface_points
from nerfloss.data.views import Views

CAMERA_RADIUS = 2.7
FIELD_OF_VIEW = 38.0
IMAGES = frozenset(
    {"target_rgb", "target_depth", "target_normal", "target_label", "target_instance"}
)
POINTS = frozenset({"target_points", "target_point_normals", "target_point_confidence"})


@dataclass(frozen=True)
class AnalyticDataset:
    """One of `analytic_scenes`, seen by cameras on a sphere around it.

    ``views`` to train on and ``test_views`` between them, ``size`` pixels square. ``seed`` turns
    the arrangement of cameras. Along edges a pixel averages ``supersampling``^2 rays. Without
    ``masks`` the training views are photographs on the background; test views keep theirs, to be
    judged by. ``one_sided_views``: all cameras to train on stand where x > 0. ``mesh`` names a file
    to evaluate against instead of the exact surface. ``points`` is the number of sparse surface
    points, with noise of ``point_noise`` scene units at confidence 0.
    ``image_storage`` says where the images are kept (`Views`).
    """

    scene: str = "craters"
    views: int = 60
    test_views: int = 12
    size: int = 128
    seed: int = 0
    supersampling: int = 2
    background: str = "auto"
    masks: bool = True
    one_sided_views: bool = False
    mesh: str | None = None
    points: int = 2000
    point_noise: float | int = 0.005
    image_storage: str = "auto"

    def __post_init__(self) -> None:
        check_background(self.background, masks=self.masks)
        check_image_storage(self.image_storage)
        if self.scene not in MODELS:
            choices = ", ".join(MODELS)
            raise ValueError(
                f"dataset.scene={self.scene!r} is no exact scene; choose from {choices}"
            )
        for name in ("views", "test_views", "size", "supersampling"):
            if getattr(self, name) < 1:
                raise ValueError(f"dataset.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("points", "point_noise"):
            if getattr(self, name) < 0:
                raise ValueError(f"dataset.{name} must not be negative, got {getattr(self, name)}")

    @property
    def offers(self) -> frozenset[str]:
        masks = {"target_mask"} if self.masks else set()
        points = POINTS if self.points else set()
        return IMAGES | masks | points

    def load(self) -> Scene:
        """Render the scene: a few seconds at the default size."""
        mesh = None if self.mesh is None else read_mesh(self.mesh)
        model = MODELS[self.scene]()
        kinds = ("background", *model.kinds)
        seen, held_out = train_and_test_positions(
            self.views, self.test_views, CAMERA_RADIUS, self.seed
        )
        if self.one_sided_views:
            seen = torch.cat([seen[:, :1].abs(), seen[:, 1:]], dim=1)
        cameras = cameras_at(torch.cat([seen, held_out]), self.size, FIELD_OF_VIEW)
        names = [f"train_{i:03d}" for i in range(self.views)]
        names += [f"test_{i:03d}" for i in range(self.test_views)]
        views = photograph(model, cameras, tuple(names), self.supersampling)
        size = sum(image.nbytes for image in views.images.values())
        views = replace(
            views.stored_in(storage_for(self.image_storage, size)), image_storage=self.image_storage
        )
        train = self._with_points(model, views[: self.views])
        return Scene(
            name=self.scene,
            train=train if self.masks else train.without_masks(self.background),
            test=views[self.views :],
            to_world=np.eye(4),
            background=self.background,
            ground_truth=(lambda: surface_mesh(model.sdf)) if mesh is None else (lambda: mesh),
            sdf=model.sdf,
            conventions={
                "units": "scene units: the object fits the unit ball",
                "image_range": "0 to 1, from 8 bit",
                "background": self.background,
                "hold_out": f"{self.test_views} cameras between the {self.views} of training",
                "mask": describe_masks("opacity: share of a pixel's rays that hit", self.masks),
                "classes": ", ".join(f"{i} {kind}" for i, kind in enumerate(kinds)),
            },
        )

    def _with_points(self, model: Model, views: Views) -> Views:
        if not self.points:
            return views
        noise = float(self.point_noise)
        found = sample_surface_points(
            model.sdf, views.cameras, self.points, noise=noise, seed=self.seed
        )
        return replace(views, points=found)
