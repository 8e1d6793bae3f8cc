"""NeRF-synthetic scenes: transforms_{train,val,test}.json beside RGBA images, OpenGL axes."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nerfloss.data.cameras.pinhole import Cameras
from nerfloss.data.errors import DataError, existing
from nerfloss.data.formats.meshes import read_mesh
from nerfloss.data.formats.point_files import offered_by, read_points
from nerfloss.data.formats.pose_matrices import checked_pose
from nerfloss.data.image_files import ENDINGS, check_masks, image_header, read_images
from nerfloss.data.image_storage import check_image_storage, storage_for
from nerfloss.data.scene import Scene, check_background, describe_masks
from nerfloss.data.splits import describe_rule, split_views
from nerfloss.data.views import Views

HOLDS = "a NeRF-synthetic scene (a folder with transforms_train.json)"


@dataclass(frozen=True)
class Frame:
    """One entry of a transforms file: where the image lies, and the pose in scene units."""

    path: Path
    pose: np.ndarray
    camera_angle: float


@dataclass(frozen=True)
class BlenderDataset:
    """A scene in the layout of NeRF-synthetic.

    ``scene_radius``, in the files' units, becomes 1 in scene units: NeRF-synthetic objects lie
    within 1.5 of the origin, its cameras 4 away. Test views come from transforms_test.json (or
    _val); ``hold_out`` takes them from the training file instead, by rule or list. ``downscale``
    averages blocks of pixels. An alpha channel is a mask; with ``masks`` false the training views
    are photographs on the background, while test views keep theirs, to be judged by. ``mesh`` names
    a true mesh in the files' coordinates, ``points`` a PLY file of observed surface points.
    ``image_storage`` says where the images are kept (`Views`).
    """

    path: str | None = None
    background: str = "auto"
    scene_radius: float | int = 1.5
    downscale: int = 1
    hold_out: Mapping[str, Any] | str | None = None
    masks: bool = True
    mesh: str | None = None
    points: str | None = None
    image_storage: str = "auto"

    def __post_init__(self) -> None:
        check_background(self.background, masks=self.masks)
        check_image_storage(self.image_storage)
        if self.scene_radius <= 0:
            raise ValueError(f"dataset.scene_radius must be positive, got {self.scene_radius}")

    @property
    def offers(self) -> frozenset[str]:
        """Known from the header of the first image: a mask wherever there is an alpha channel."""
        masks = self.masks and self._has_alpha(existing(self.path, HOLDS))
        points = offered_by(self.points) if self.points else frozenset()
        return points | {"target_rgb"} | ({"target_mask"} if masks else set())

    def load(self) -> Scene:
        folder = existing(self.path, HOLDS)
        alpha = self._has_alpha(folder)
        if self.background == "random" and not alpha:
            found = "no alpha channel, which a random background needs"
            raise DataError(folder, found, "set dataset.background=white or none")
        mesh = None if self.mesh is None else read_mesh(self.mesh)
        kept, held, rule = self._splits(folder)
        to_world = np.diag([self.scene_radius] * 3 + [1.0])
        points = None if self.points is None else read_points(self.points, to_world)
        train = replace(self._views(kept, alpha), points=points)
        return Scene(
            name=folder.resolve().name,
            train=train if self.masks else train.without_masks(self.background),
            test=self._views(held, alpha),
            to_world=to_world,
            background=self.background,
            ground_truth=None if mesh is None else lambda: mesh,
            conventions={
                "units": f"scene units: 1 is {self.scene_radius:g} of the files' units",
                "image_range": "0 to 1, from 8 bit as stored",
                "background": self.background,
                "hold_out": rule,
                "mask": describe_masks("alpha channel" if alpha else "none", self.masks),
                "downscale": self.downscale,
            },
        )

    def _has_alpha(self, folder: Path) -> bool:
        first = _read_frames(folder / "transforms_train.json", 1.0)[0]
        return image_header(first.path)[2]

    def _splits(self, folder: Path) -> tuple[list[Frame], list[Frame], str]:
        """Frames to train on, frames to test on, and the rule in words."""
        frames = _read_frames(folder / "transforms_train.json", self.scene_radius)
        if self.hold_out is not None:
            names = [frame.path.stem for frame in frames]
            kept, held = split_views(names, self.hold_out, folder)
            rule = describe_rule(self.hold_out)
            return [frames[i] for i in kept], [frames[i] for i in held], rule
        for name in ("transforms_test.json", "transforms_val.json"):
            if (folder / name).is_file():
                return frames, _read_frames(folder / name, self.scene_radius), name
        remedy = "restore the file, or hold views out: dataset.hold_out={every: 8}"
        raise DataError(folder / "transforms_test.json", "no such file, nor a _val one", remedy)

    def _views(self, frames: list[Frame], alpha: bool) -> Views:
        paths = [frame.path for frame in frames]
        # Twice: what is read, and its parts.
        size = 8 * len(paths) * math.prod(image_header(paths[0])[:2]) // self.downscale**2
        storage = storage_for(self.image_storage, size)
        pixels = read_images(paths, "RGBA" if alpha else "RGB", self.downscale, storage)
        height, width = pixels.shape[1:3]
        cameras = _cameras(frames, width, height)
        names = tuple(path.stem for path in paths)
        if not alpha:
            return Views(cameras, names, pixels, image_storage=self.image_storage)
        # Apart, so that each is contiguous: gathering pixels is twice as fast.
        rgb, mask = (storage.store(part) for part in (pixels[..., :3], pixels[..., 3]))
        check_masks(mask, paths)
        return Views(cameras, names, rgb, mask, image_storage=self.image_storage)


def _read_frames(path: Path, scene_radius: float | int) -> list[Frame]:
    """The frames of one transforms file, poses in OpenCV axes and scene units."""
    if not path.is_file():
        raise DataError(path, "no such file", f"dataset.path must be {HOLDS}")
    try:
        content = json.loads(path.read_text())
        angle, entries = float(content["camera_angle_x"]), content["frames"]
        named = [(entry["file_path"], entry["transform_matrix"]) for entry in entries]
    except (ValueError, TypeError, KeyError) as error:
        found = f"not a NeRF-synthetic transforms file ({type(error).__name__}: {error})"
        remedy = "it needs camera_angle_x, and frames with file_path and transform_matrix"
        raise DataError(path, found, remedy) from error
    if not 0 < angle < math.pi:
        raise DataError(path, f"camera_angle_x={angle}", "give the field of view in radians")
    if not named:
        raise DataError(path, "lists no views", "it needs at least one frame")
    return [Frame(_image_path(path, n), _pose(m, path, n, scene_radius), angle) for n, m in named]


def _image_path(transforms: Path, name: str) -> Path:
    """The image that an entry names, with or without its ending."""
    path = transforms.parent / name
    if path.is_file():
        return path
    with_ending = [path.with_name(path.name + ending) for ending in ENDINGS]
    found = [candidate for candidate in with_ending if candidate.is_file()]
    return found[0] if found else with_ending[0]


def _pose(matrix: Any, path: Path, name: str, scene_radius: float | int) -> np.ndarray:
    pose = checked_pose(matrix, path, f"transform_matrix of {name}")[:3].copy()
    # OpenGL looks along -z with y up, OpenCV along z with y down.
    pose[:, 1:3] *= -1
    pose[:, 3] /= scene_radius
    return pose


def _cameras(frames: list[Frame], width: int, height: int) -> Cameras:
    focal = 0.5 * width / math.tan(0.5 * frames[0].camera_angle)
    intrinsics = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    poses = torch.from_numpy(np.stack([frame.pose for frame in frames])).float()
    return Cameras(intrinsics.repeat(len(frames), 1, 1), poses, width, height)
