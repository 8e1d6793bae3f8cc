"""NeuS, IDR and DTU folders: cameras_sphere.npz beside image/ and mask/."""

import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from nerfloss.data.cameras.pinhole import Cameras
from nerfloss.data.errors import DataError, existing
from nerfloss.data.formats.meshes import read_mesh
from nerfloss.data.formats.point_files import offered_by, read_points
from nerfloss.data.formats.pose_matrices import checked_matrix, decompose_projection
from nerfloss.data.image_files import ENDINGS, check_masks, image_header, read_images
from nerfloss.data.image_storage import check_image_storage, storage_for
from nerfloss.data.scene import Scene, check_background
from nerfloss.data.splits import describe_rule, split_views
from nerfloss.data.views import Views

HOLDS = "a NeuS scene (a folder with cameras_sphere.npz and image/)"
# Masks are grey where they were averaged; brighter than this is object.
THRESHOLD = 127


@dataclass(frozen=True)
class NeusDataset:
    """A scene in the layout of NeuS.

    ``scale_mat`` maps the unit ball to the data's own coordinates, in which ``mesh`` names a true
    mesh and ``points`` a PLY file of observed surface points. ``masks`` is true, false, or "auto":
    used where mask/ exists. Without masks nothing says what is background, so images are taken as
    they are, whatever ``background`` says. ``image_storage`` says where images are kept (`Views`).
    """

    path: str | None = None
    background: str = "auto"
    masks: bool | str = "auto"
    hold_out: Mapping[str, Any] | str = field(default_factory=lambda: {"every": 8})
    downscale: int = 1
    mesh: str | None = None
    points: str | None = None
    image_storage: str = "auto"

    def __post_init__(self) -> None:
        check_background(self.background)
        check_image_storage(self.image_storage)
        if self.masks not in (True, False, "auto"):
            raise ValueError(
                f"dataset.masks={self.masks!r} is none of true, false, auto; choose one"
            )

    @property
    def offers(self) -> frozenset[str]:
        """Known from whether mask/ is there."""
        masks = self._uses_masks(existing(self.path, HOLDS))
        points = offered_by(self.points) if self.points else frozenset()
        return points | {"target_rgb"} | ({"target_mask"} if masks else set())

    def load(self) -> Scene:
        folder = existing(self.path, HOLDS)
        mesh = None if self.mesh is None else read_mesh(self.mesh)
        images = _image_paths(folder / "image")
        masks = _image_paths(folder / "mask") if self._uses_masks(folder) else None
        if masks is not None and len(masks) != len(images):
            found = f"{len(masks)} masks for {len(images)} images"
            raise DataError(
                folder / "mask", found, "give every image a mask, or set dataset.masks=false"
            )
        matrices = _read_matrices(folder, len(images))
        background = self.background if masks is not None else "none"
        kept, held = split_views([path.stem for path in images], self.hold_out, folder)
        points = None if self.points is None else read_points(self.points, matrices[0][1])
        train, test = (self._views(which, images, masks, matrices) for which in (kept, held))
        return Scene(
            folder.resolve().name,
            train=replace(train, points=points),
            test=test,
            to_world=matrices[0][1],
            background=background,
            ground_truth=None if mesh is None else lambda: mesh,
            conventions={
                "units": f"scene units: 1 is {_scale(matrices[0][1]):g} of the data's units",
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
        which: list[int],
        images: list[Path],
        masks: list[Path] | None,
        matrices: list[tuple[np.ndarray, np.ndarray]],
    ) -> Views:
        paths = [images[i] for i in which]
        size = 4 * len(paths) * math.prod(image_header(paths[0])[:2]) // self.downscale**2
        storage = storage_for(self.image_storage, size)
        rgb = read_images(paths, "RGB", self.downscale, storage)
        cameras = _cameras(
            [matrices[i] for i in which], *image_header(paths[0])[:2], self.downscale
        )
        names = tuple(path.stem for path in paths)
        if masks is None:
            return Views(cameras, names, rgb, image_storage=self.image_storage)
        grey_paths = [masks[i] for i in which]
        size, masked = image_header(paths[0])[:2], image_header(grey_paths[0])[:2]
        if size != masked:
            found = f"{masked[0]} x {masked[1]} pixels, where the image has {size[0]} x {size[1]}"
            raise DataError(grey_paths[0], found, "masks and images must have one size")
        mask = read_images(grey_paths, "L", self.downscale, storage).gt_(THRESHOLD).mul_(255)
        check_masks(mask, grey_paths)
        return Views(cameras, names, rgb, mask, image_storage=self.image_storage)


def _image_paths(folder: Path) -> list[Path]:
    """Images in a folder, in the order of the numbers in their names."""
    if not folder.is_dir():
        raise DataError(folder, "no such folder", f"dataset.path must be {HOLDS}")
    paths = [path for path in folder.iterdir() if path.suffix.lower() in ENDINGS]
    if not paths:
        raise DataError(folder, "no images", f"it needs files ending in {', '.join(ENDINGS)}")
    pieces = {path: re.split(r"(\d+)", path.stem) for path in paths}
    return sorted(paths, key=lambda p: [int(x) if x.isdigit() else x for x in pieces[p]])


def _read_matrices(folder: Path, views: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per view the projection of its world and the similarity into it, both 4 x 4."""
    candidates = [folder / name for name in ("cameras_sphere.npz", "cameras.npz")]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise DataError(
            candidates[0], "no such file, nor cameras.npz", f"dataset.path must be {HOLDS}"
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
            raise DataError(path, found, "all views must share one unit ball")
    return pairs


def _matrix(stored: dict[str, np.ndarray], name: str, path: Path) -> Float[np.ndarray, "4 4"]:
    if name not in stored:
        raise DataError(path, f"holds no {name}", "number the cameras from 0 without gaps")
    return checked_matrix(stored[name], path, name)


def _scale(to_world: Float[np.ndarray, "4 4"]) -> float:
    """Size of one scene unit in the data's own."""
    return float(np.cbrt(np.linalg.det(to_world[:3, :3])))


def _cameras(
    matrices: list[tuple[np.ndarray, np.ndarray]], width: int, height: int, downscale: int
) -> Cameras:
    """Cameras in scene units, from what maps scene units to pixels."""
    pairs = [decompose_projection((world @ scale)[:3]) for world, scale in matrices]
    intrinsics = np.stack([intrinsics for intrinsics, _ in pairs])
    # These files put the centre of the first pixel at 0, here it lies at one half.
    intrinsics[:, :2, 2] += 0.5
    intrinsics[:, :2] /= downscale
    poses = np.stack([pose for _, pose in pairs])
    size = (width // downscale, height // downscale)
    return Cameras(torch.from_numpy(intrinsics).float(), torch.from_numpy(poses).float(), *size)
