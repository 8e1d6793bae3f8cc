"""Decode the images, masks and maps of planned frames into tensors, padded to one size."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.cameras.cameras import pixel_centers
from nerfloss.data.depth_files import read_depth
from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_sizes import PlannedImage
from nerfloss.data.formats.parsed_scene import DepthConvention, NormalConvention
from nerfloss.data.image_headers import read_header
from nerfloss.data.image_reading import read_image
from nerfloss.data.image_storage import ImageStorage
from nerfloss.data.mask_files import read_mask_with_note, read_object_mask
from nerfloss.data.normal_files import read_normals
from nerfloss.kernels.lens import pixel_to_direction


@dataclass
class LoadedImages:
    """The images of one split, each in the top left corner of the largest size.

    ``depth`` is the distance along rays in the units of the files, 0 where unknown. ``normal`` is
    in the frame of the files. ``notes`` has one entry per view that something was assumed about.
    """

    rgb: Tensor
    mask: Tensor | None = None
    ignore: Tensor | None = None
    depth: Tensor | None = None
    normal: Tensor | None = None
    notes: list[str] = field(default_factory=list)


def load_images(
    planned: Sequence[PlannedImage],
    *,
    alpha_masks: bool,
    depth: DepthConvention,
    normal: NormalConvention,
    storage: ImageStorage,
) -> LoadedImages:
    """Decode everything that the frames of a split name. Raises DataError as the readers do.

    With ``alpha_masks`` the alpha channel is the mask of frames without an object mask.
    """
    width, height = (max(image.size[axis] for image in planned) for axis in (0, 1))
    shape = (len(planned), height, width)
    frames = [image.frame for image in planned]
    has_mask = alpha_masks or any(frame.object_mask for frame in frames)

    def made(wanted: bool, *channels: int, dtype: torch.dtype = torch.uint8) -> Tensor | None:
        if not wanted:
            return None
        return storage.allocate((*shape, *channels), dtype).zero_()

    loaded = LoadedImages(
        storage.allocate((*shape, 3)),
        made(has_mask),
        made(any(frame.ignore_mask for frame in frames)),
        made(any(frame.depth for frame in frames), dtype=torch.float32),
        made(any(frame.normal for frame in frames), 3, dtype=torch.float32),
    )

    def load(view: int) -> list[str]:
        return _load(planned[view], view, loaded, alpha_masks, depth, normal)

    # Decoding releases the GIL; the first error is raised.
    with ThreadPoolExecutor(max_workers=4) as pool:
        loaded.notes = [note for notes in pool.map(load, range(len(planned))) for note in notes]
    return loaded


def _load(
    planned: PlannedImage,
    view: int,
    loaded: LoadedImages,
    alpha_masks: bool,
    depth: DepthConvention,
    normal: NormalConvention,
) -> list[str]:
    frame, size, notes = planned.frame, planned.size, list(planned.notes)

    def put(target: Tensor | None, value: np.ndarray) -> None:
        assert target is not None
        target[view].zero_()
        target[view][: size[1], : size[0]] = torch.from_numpy(
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
        values = read_depth(frame.depth, depth.unit)
        values = _nearest(values, frame.depth, planned)
        put(loaded.depth, along_rays(values, planned.camera) if depth.along == "z" else values)
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
