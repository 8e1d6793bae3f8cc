"""NeRF-synthetic scenes: transforms_{train,val,test}.json and RGBA images, OpenGL axes."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.errors import DataError
from nerfloss.data.formats.pose_matrices import check_pose
from nerfloss.data.image_files import ENDINGS, check_masks, image_header, read_images
from nerfloss.data.image_storage import storage_for
from nerfloss.data.scene import Scene, check_random_background, describe_masks
from nerfloss.data.settings import FileSettings, SceneSettings
from nerfloss.data.splits import describe_rule, split_views
from nerfloss.data.views import Views

CONTENT = "a NeRF-synthetic scene (a folder with transforms_train.json)"


@dataclass(frozen=True)
class Frame:
    """One entry of a transforms file: path of the image, pose in scene units, angle in radians."""

    path: Path
    pose: np.ndarray
    camera_angle: float


@dataclass(frozen=True)
class BlenderDataset(SceneSettings, FileSettings):
    """A scene in the layout of NeRF-synthetic; an alpha channel is the mask.

    ``scene_radius``, in units of the files, becomes 1 in scene units: NeRF-synthetic objects lie
    within 1.5 of the origin, the cameras at a distance of 4. Test views come from
    transforms_test.json or transforms_val.json, or from transforms_train.json if ``hold_out`` is
    set.
    """

    scene_radius: float | int = 1.5

    content: ClassVar[str] = CONTENT

    def __post_init__(self) -> None:
        super().__post_init__()
        check_random_background(self.background, self.masks)
        if self.scene_radius <= 0:
            raise ValueError(f"dataset.scene_radius must be positive, got {self.scene_radius}")

    @property
    def offers(self) -> frozenset[str]:
        """Names of the quantities; the first image's header says if there is an alpha channel."""
        return self.offered(masks=bool(self.masks) and self._has_alpha(self.folder()))

    def load(self) -> Scene:
        folder = self.folder()
        alpha = self._has_alpha(folder)
        if self.background == "random" and not alpha:
            found = "no alpha channel, which a random background needs"
            raise DataError(folder, found, "set dataset.background=white or none")
        ground_truth = self.load_mesh()
        train_frames, test_frames, rule = self._splits(folder)
        to_world = np.diag([self.scene_radius] * 3 + [1.0])
        points = self.load_points(to_world)
        train = replace(self._views(train_frames, alpha), points=points)
        return Scene(
            name=folder.resolve().name,
            train=train if self.masks else train.without_masks(self.background),
            test=self._views(test_frames, alpha),
            to_world=to_world,
            background=self.background,
            ground_truth=ground_truth,
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
        """Return the frames for training, those for testing, and a description of the rule."""
        frames = _read_frames(folder / "transforms_train.json", self.scene_radius)
        if self.hold_out is not None:
            names = [frame.path.stem for frame in frames]
            train, test = split_views(names, self.hold_out, folder)
            rule = describe_rule(self.hold_out)
            return [frames[i] for i in train], [frames[i] for i in test], rule
        for name in ("transforms_test.json", "transforms_val.json"):
            if (folder / name).is_file():
                return frames, _read_frames(folder / name, self.scene_radius), name
        found = "no such file, and no transforms_val.json"
        remedy = "restore the file, or select test views: dataset.hold_out={every: 8}"
        raise DataError(folder / "transforms_test.json", found, remedy)

    def _views(self, frames: list[Frame], alpha: bool) -> Views:
        paths = [frame.path for frame in frames]
        # Twice four channels: the images as read, and their copies by channel below.
        size = 8 * len(paths) * math.prod(image_header(paths[0])[:2]) // self.downscale**2
        storage = storage_for(self.image_storage, size)
        pixels = read_images(paths, "RGBA" if alpha else "RGB", self.downscale, storage)
        height, width = pixels.shape[1:3]
        cameras = _cameras(frames, width, height)
        names = tuple(path.stem for path in paths)
        if not alpha:
            return Views(cameras, names, pixels, image_storage=self.image_storage)
        # Separate contiguous tensors: gathering pixels is twice as fast.
        rgb, mask = (storage.store(part) for part in (pixels[..., :3], pixels[..., 3]))
        check_masks(mask, paths)
        return Views(cameras, names, rgb, mask, image_storage=self.image_storage)


def _read_frames(path: Path, scene_radius: float | int) -> list[Frame]:
    """Read the frames of a transforms file, poses in OpenCV axes and scene units."""
    if not path.is_file():
        raise DataError(path, "no such file", f"dataset.path must be {CONTENT}")
    try:
        content = json.loads(path.read_text())
        angle, entries = float(content["camera_angle_x"]), content["frames"]
        listed = [(entry["file_path"], entry["transform_matrix"]) for entry in entries]
    except (ValueError, TypeError, KeyError) as error:
        found = f"not a NeRF-synthetic transforms file ({type(error).__name__}: {error})"
        remedy = "it needs camera_angle_x, and frames with file_path and transform_matrix"
        raise DataError(path, found, remedy) from error
    if not 0 < angle < math.pi:
        raise DataError(path, f"camera_angle_x={angle}", "give the field of view in radians")
    if not listed:
        raise DataError(path, "lists no views", "it needs at least one frame")
    return [Frame(_image_path(path, n), _pose(m, path, n, scene_radius), angle) for n, m in listed]


def _image_path(transforms: Path, name: str) -> Path:
    """Return the image that an entry names, with or without its file extension."""
    path = transforms.parent / name
    if path.is_file():
        return path
    candidates = [path.with_name(path.name + ending) for ending in ENDINGS]
    return next((candidate for candidate in candidates if candidate.is_file()), candidates[0])


def _pose(matrix: Any, path: Path, name: str, scene_radius: float | int) -> np.ndarray:
    pose = check_pose(matrix, path, f"transform_matrix of {name}")[:3].copy()
    # OpenGL cameras face -z with y up, OpenCV cameras +z with y down.
    pose[:, 1:3] *= -1
    pose[:, 3] /= scene_radius
    return pose


def _cameras(frames: list[Frame], width: int, height: int) -> Cameras:
    focal = 0.5 * width / math.tan(0.5 * frames[0].camera_angle)
    intrinsics = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    poses = torch.from_numpy(np.stack([frame.pose for frame in frames])).float()
    return Cameras(intrinsics.repeat(len(frames), 1, 1), poses, width, height)
