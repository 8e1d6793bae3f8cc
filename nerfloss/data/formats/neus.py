"""Scenes in the layout of NeuS, IDR and DTU: cameras_sphere.npz, image/ and mask/."""

import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.errors import DataError
from nerfloss.data.formats.pose_matrices import check_matrix, decompose_projection
from nerfloss.data.image_files import ENDINGS, check_masks, image_header, read_images
from nerfloss.data.image_storage import storage_for
from nerfloss.data.scene import Scene
from nerfloss.data.settings import FileSettings, SceneSettings
from nerfloss.data.splits import describe_rule, split_views
from nerfloss.data.views import Views

CONTENT = "a NeuS scene (a folder with cameras_sphere.npz and image/)"
# Masks may be grey at edges; values above this are object.
THRESHOLD = 127


@dataclass(frozen=True)
class NeusDataset(SceneSettings, FileSettings):
    """A scene in the layout of NeuS.

    ``scale_mat_0`` maps the unit ball to the coordinates of the data. ``masks`` may also be "auto":
    used if there is a folder mask/. Without masks the background is unknown, images are used as
    stored, and ``background`` has no effect.
    """

    masks: bool | str = "auto"
    hold_out: Mapping[str, Any] | str = field(default_factory=lambda: {"every": 8})

    content: ClassVar[str] = CONTENT
    mask_choices: ClassVar[tuple[bool | str, ...]] = (True, False, "auto")

    @property
    def offers(self) -> frozenset[str]:
        """Names of the quantities; masks are offered if there is a folder mask/."""
        return self.offered(masks=self._uses_masks(self.folder()))

    def load(self) -> Scene:
        folder = self.folder()
        ground_truth = self.load_mesh()
        images = _image_paths(folder / "image")
        masks = _image_paths(folder / "mask") if self._uses_masks(folder) else None
        if masks is not None and len(masks) != len(images):
            found = f"{len(masks)} masks for {len(images)} images"
            remedy = "add the missing masks, or set dataset.masks=false"
            raise DataError(folder / "mask", found, remedy)
        matrices = _read_matrices(folder, len(images))
        to_world = matrices[0][1]
        background = self.background if masks is not None else "none"
        splits = split_views([path.stem for path in images], self.hold_out, folder)
        train, test = (self._views(split, images, masks, matrices) for split in splits)
        return Scene(
            folder.resolve().name,
            train=replace(train, points=self.load_points(to_world)),
            test=test,
            to_world=to_world,
            background=background,
            ground_truth=ground_truth,
            conventions={
                "units": f"scene units: 1 is {_scale(to_world):g} of the data's units",
                "image_range": "0 to 1, from 8 bit as stored",
                "background": background,
                "hold_out": describe_rule(self.hold_out),
                "mask": "none" if masks is None else f"grey above {THRESHOLD}",
                "downscale": self.downscale,
            },
        )

    def _uses_masks(self, folder: Path) -> bool:
        if self.masks is True and not (folder / "mask").is_dir():
            remedy = "add the masks, or set dataset.masks=auto"
            raise DataError(folder / "mask", "no such folder, but dataset.masks=true", remedy)
        return self.masks is not False and (folder / "mask").is_dir()

    def _views(
        self,
        split: list[int],
        images: list[Path],
        masks: list[Path] | None,
        matrices: list[tuple[np.ndarray, np.ndarray]],
    ) -> Views:
        paths = [images[i] for i in split]
        size = 4 * len(paths) * math.prod(image_header(paths[0])[:2]) // self.downscale**2
        storage = storage_for(self.image_storage, size)
        rgb = read_images(paths, "RGB", self.downscale, storage)
        cameras = _cameras(
            [matrices[i] for i in split], *image_header(paths[0])[:2], self.downscale
        )
        names = tuple(path.stem for path in paths)
        if masks is None:
            return Views(cameras, names, rgb, image_storage=self.image_storage)
        mask_paths = [masks[i] for i in split]
        shape, mask_shape = image_header(paths[0])[:2], image_header(mask_paths[0])[:2]
        if shape != mask_shape:
            found = (
                f"{mask_shape[0]} x {mask_shape[1]} pixels, the image has {shape[0]} x {shape[1]}"
            )
            raise DataError(mask_paths[0], found, "masks and images must have the same size")
        mask = read_images(mask_paths, "L", self.downscale, storage).gt_(THRESHOLD).mul_(255)
        check_masks(mask, mask_paths)
        return Views(cameras, names, rgb, mask, image_storage=self.image_storage)


def _image_paths(folder: Path) -> list[Path]:
    """Return the images of a folder, sorted by the numbers in their names."""
    if not folder.is_dir():
        raise DataError(folder, "no such folder", f"dataset.path must be {CONTENT}")
    paths = [path for path in folder.iterdir() if path.suffix.lower() in ENDINGS]
    if not paths:
        raise DataError(folder, "no images", f"it needs files ending in {', '.join(ENDINGS)}")
    parts = {path: re.split(r"(\d+)", path.stem) for path in paths}
    return sorted(paths, key=lambda p: [int(x) if x.isdigit() else x for x in parts[p]])


def _read_matrices(folder: Path, views: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return ``world_mat`` (projection) and ``scale_mat`` (similarity) of each view, both 4 x 4."""
    candidates = [folder / name for name in ("cameras_sphere.npz", "cameras.npz")]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise DataError(
            candidates[0], "no such file, and no cameras.npz", f"dataset.path must be {CONTENT}"
        )
    try:
        with path.open("rb") as file:
            stored = dict(np.load(file))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            path, f"not an npz archive that can be read ({error})", "replace it"
        ) from error
    count = sum(name.startswith("world_mat_") and "inv" not in name for name in stored)
    if count != views:
        found = f"{count} cameras (world_mat_i) for {views} images"
        raise DataError(path, found, "cameras and images must match one to one, in order")
    pairs = [
        (_matrix(stored, f"world_mat_{i}", path), _matrix(stored, f"scale_mat_{i}", path))
        for i in range(views)
    ]
    for index, (_, scale) in enumerate(pairs):
        if not np.allclose(scale, pairs[0][1], rtol=1e-4, atol=1e-4 * _scale(pairs[0][1])):
            found = f"scale_mat_{index} differs from scale_mat_0"
            raise DataError(path, found, "all views must have the same scale_mat")
    return pairs


def _matrix(stored: dict[str, np.ndarray], name: str, path: Path) -> Float[np.ndarray, "4 4"]:
    if name not in stored:
        raise DataError(path, f"{name} is missing", "number the cameras from 0 without gaps")
    return check_matrix(stored[name], path, name)


def _scale(to_world: Float[np.ndarray, "4 4"]) -> float:
    """Return the length of one scene unit in units of the data."""
    return float(np.cbrt(np.linalg.det(to_world[:3, :3])))


def _cameras(
    matrices: list[tuple[np.ndarray, np.ndarray]], width: int, height: int, downscale: int
) -> Cameras:
    """Return cameras in scene units from the projections ``world_mat @ scale_mat``."""
    pairs = [decompose_projection((world @ scale)[:3]) for world, scale in matrices]
    intrinsics = np.stack([intrinsics for intrinsics, _ in pairs])
    # In these files the centre of the first pixel has coordinate 0, here 0.5.
    intrinsics[:, :2, 2] += 0.5
    intrinsics[:, :2] /= downscale
    poses = np.stack([pose for _, pose in pairs])
    size = (width // downscale, height // downscale)
    return Cameras(torch.from_numpy(intrinsics).float(), torch.from_numpy(poses).float(), *size)
