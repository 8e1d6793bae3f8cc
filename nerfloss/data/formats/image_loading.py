"""Decode the images, masks and maps of planned frames into tensors, padded to one size."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.cameras.cameras import pixel_centers
from nerfloss.data.depth_files import read_depth, read_depth_with_confidence
from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_sizes import PlannedImage
from nerfloss.data.formats.parsed_scene import DepthConvention, Frame, NormalConvention
from nerfloss.data.image_headers import read_header
from nerfloss.data.image_reading import read_image
from nerfloss.data.image_storage import storage_for
from nerfloss.data.loading_progress import logged_progress
from nerfloss.data.mask_files import read_mask_with_note, read_object_mask
from nerfloss.data.normal_files import read_normals
from nerfloss.kernels.lens import pixel_to_direction

WITHOUT_CONFIDENCE = "depth without a confidence, which others have: taken as 1"
# Each thread holds a few copies of one image.
DECODERS = max(4, min(16, os.cpu_count() or 1))


@dataclass
class LoadedImages:
    """The images of a scene, each in the top left corner of the largest size.

    ``rows`` are the indices along the first axis at which the frames' images are. ``depth`` is the
    distance along rays in the units of the files, 0 where unknown; ``depth_confidence`` is from 0
    to 1, 0 where the depth is unknown. ``relative_depth`` and ``disparity`` are as stored.
    ``normal`` is in the frame of the files. ``on_disk`` says if they are stored on a disk.
    ``notes`` has one entry per view that something was assumed about.
    """

    rows: Sequence[int]
    rgb: Tensor
    mask: Tensor | None = None
    ignore: Tensor | None = None
    depth: Tensor | None = None
    depth_confidence: Tensor | None = None
    normal: Tensor | None = None
    relative_depth: Tensor | None = None
    disparity: Tensor | None = None
    on_disk: bool = False
    notes: list[str] = field(default_factory=list)


def load_images(
    planned: Sequence[PlannedImage],
    *,
    alpha_masks: bool,
    depth: DepthConvention,
    normal: NormalConvention,
    image_storage: str,
    order: Sequence[int] | None = None,
) -> LoadedImages:
    """Decode everything that the frames of a scene name. Raises DataError as the readers do.

    With ``alpha_masks`` the alpha channel is the mask of frames without an object mask. The images
    are stored in the ``order`` of these indices of frames (None: as they are), in the storage that
    ``image_storage`` names (`storage_for`).
    """
    width, height = (max(image.size[axis] for image in planned) for axis in (0, 1))
    shapes = _stored_per_pixel([image.frame for image in planned], alpha_masks)
    per_pixel = sum(prod(channels) * dtype.itemsize for channels, dtype in shapes.values())
    storage = storage_for(image_storage, len(planned) * width * height * per_pixel)
    made = {
        name: storage.allocate((len(planned), height, width, *channels), dtype)
        for name, (channels, dtype) in shapes.items()
    }
    rgb = made.pop("rgb")
    order = range(len(planned)) if order is None else order
    rows = {view: row for row, view in enumerate(order)}
    loaded = LoadedImages([rows[view] for view in range(len(planned))], rgb)
    loaded = replace(loaded, **made, on_disk=storage.on_disk)

    def load(view: int) -> list[str]:
        return _load(planned[view], loaded.rows[view], loaded, alpha_masks, depth, normal)

    # Decoding releases the GIL; as many images as threads are in flight. The first error is raised.
    with ThreadPoolExecutor(max_workers=DECODERS) as pool:
        notes = logged_progress(pool.map(load, range(len(planned))), len(planned), "images decoded")
        loaded.notes = [note for each in notes for note in each]
    return loaded


def _stored_per_pixel(
    frames: Sequence[Frame], alpha_masks: bool
) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Return channels and type of a pixel of each of the images that the frames have."""
    byte, real = torch.uint8, torch.float32
    has_mask = alpha_masks or any(frame.object_mask for frame in frames)
    known = {
        "rgb": (True, (3,), byte),
        "mask": (has_mask, (), byte),
        "ignore": (any(frame.ignore_mask for frame in frames), (), byte),
        "depth": (any(frame.depth for frame in frames), (), real),
        "depth_confidence": (any(frame.depth_confidence for frame in frames), (), real),
        "normal": (any(frame.normal for frame in frames), (3,), real),
        "relative_depth": (any(frame.relative_depth for frame in frames), (), real),
        "disparity": (any(frame.disparity for frame in frames), (), real),
    }
    return {name: (channels, kind) for name, (has, channels, kind) in known.items() if has}


def _load(
    planned: PlannedImage,
    row: int,
    loaded: LoadedImages,
    alpha_masks: bool,
    depth: DepthConvention,
    normal: NormalConvention,
) -> list[str]:
    frame, size, notes = planned.frame, planned.size, list(planned.notes)

    def put(target: Tensor | None, value: np.ndarray) -> None:
        assert target is not None
        target[row][: size[1], : size[0]] = torch.from_numpy(
            np.require(value, requirements=["C", "W"])
        )

    if alpha_masks and frame.object_mask is None and planned.has_alpha:
        pixels = read_image(frame.image, "RGBA", size, planned.upright)
        put(loaded.rgb, pixels[..., :3])
        put(loaded.mask, pixels[..., 3])
    else:
        put(loaded.rgb, read_image(frame.image, "RGB", size, planned.upright))
    if frame.object_mask is not None and loaded.mask is not None:
        mask, note = _mask(frame.object_mask, planned, read_object_mask)
        notes += [note] if note else []
        put(loaded.mask, mask)
    if frame.ignore_mask is not None:
        mask, note = _mask(frame.ignore_mask, planned, read_mask_with_note)
        notes += [note] if note else []
        # As in nerfstudio: every value but 0 counts.
        put(loaded.ignore, np.where(mask > 0, 0, 255).astype(np.uint8))
    if frame.depth is not None:
        values, sure = read_depth_with_confidence(frame.depth, depth.unit, frame.depth_confidence)
        if loaded.depth_confidence is not None:
            notes += [WITHOUT_CONFIDENCE] if sure is None else []
            sure = np.where(values > 0, 1 if sure is None else sure, 0).astype(np.float32)
            put(loaded.depth_confidence, _nearest(sure, frame.depth, planned))
        values = _nearest(values, frame.depth, planned)
        put(loaded.depth, along_rays(values, planned.camera) if depth.along == "z" else values)
    for name in ("relative_depth", "disparity"):
        if (path := getattr(frame, name)) is not None:
            put(getattr(loaded, name), _nearest(read_depth(path, 1.0), path, planned))
    if frame.normal is not None:
        values = _nearest(read_normals(frame.normal, normal.frame), frame.normal, planned)
        put(loaded.normal, values if normal.frame == "world" else values @ frame.pose[:, :3].T)
    return notes


def _mask(
    path: Path, planned: PlannedImage, read: Callable[..., tuple[np.ndarray, str | None]]
) -> tuple[np.ndarray, str | None]:
    """Read a mask in the size of the image; it may be larger, in the same aspect ratio."""
    header = read_header(path)
    upright = planned.upright and header.orientation != 1
    size = header.upright_size if upright else (header.width, header.height)
    _check_aspect(path, size, planned)
    if size[0] < planned.size[0] or size[1] < planned.size[1]:
        values, note = read(path, None, upright)
        return _nearest(values, path, planned), note
    return read(path, planned.size, upright)


def _check_aspect(path: Path, size: tuple[int, int], planned: PlannedImage) -> None:
    width, height = planned.size
    if abs(size[0] * height - size[1] * width) > max(*size, width, height):
        found = f"{size[0]} x {size[1]} pixels, the image has {width} x {height}"
        raise DataError(path, found, "masks, maps and images must have the same aspect ratio")


def _nearest(values: np.ndarray, path: Path, planned: PlannedImage) -> np.ndarray:
    """Return a map in the size of the image, each pixel from the nearest one."""
    height, width = values.shape[:2]
    _check_aspect(path, (width, height), planned)
    if (width, height) == planned.size:
        return values
    columns, rows = (
        ((np.arange(new) + 0.5) * old / new).astype(np.int64)
        for old, new in zip((width, height), planned.size, strict=True)
    )
    return values[rows[:, None], columns]


def along_rays(
    depth: Float[np.ndarray, "height width"], camera: Camera
) -> Float[np.ndarray, "height width"]:
    """Convert depth along the camera's z axis to distance along the rays of the pixels."""
    height, width = depth.shape
    lens = torch.tensor([camera.row], dtype=torch.float64).expand(height * width, -1)
    forward = pixel_to_direction(pixel_centers(width, height), lens)[:, 2].numpy()
    safe = np.where(forward > 1e-6, forward, np.inf)
    return (depth / safe.reshape(height, width)).astype(np.float32)
