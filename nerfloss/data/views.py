"""Posed images of one split: colour and, if known, mask, depth, normal, labels and points."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int16, UInt8
from torch import Tensor

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.image_storage import MAX_FRACTION, ImageStorage, check_image_storage, storage_for
from nerfloss.data.inpainting import inpaint_background
from nerfloss.data.sparse_points import SparsePoints
from nerfloss.files import format_bytes
from nerfloss.memory import free_memory

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Views:
    """Images, cameras and sparse points of one split.

    ``rgb`` and ``mask`` stay 8 bit: a thousand full-HD views take 8 GB this way and 33 as floats.
    ``rgb`` is straight colour, not multiplied by the opacity. ``mask`` is the opacity, 0 to 255.
    ``depth`` is the distance along the ray in scene units, 0 where unknown;
    ``depth_confidence`` is from 0 to 1, 0 where the depth is unknown. ``relative_depth`` (along the
    optical axis) and ``disparity`` (its inverse) are known up to a scale and a shift per view, 0
    where unknown. ``normal`` is unit,
    outward and in the world frame, 0 where unknown. ``label`` is the semantic class and
    ``instance`` the object that a pixel shows, 0 for the background. ``points`` are surface points
    from another source, e.g. structure from motion. ``image_storage`` names where a run keeps the
    images: ``device``, ``host`` (memory), ``disk``, or ``auto``, the first with enough space;
    ``on_disk`` says if they are on a disk now. ``behind`` is what the photographs show behind the
    object, filled in from around the masks (`with_inpainted_background`).
    ``ignore`` is 255 where a pixel does not count at all, in training or in scores; None: all
    count. Images of several sizes are stored in the top left corner of the largest
    (`Cameras.sizes`).
    """

    cameras: Cameras
    names: tuple[str, ...]
    rgb: UInt8[Tensor, "views height width 3"]
    mask: UInt8[Tensor, "views height width"] | None = None
    depth: Float[Tensor, "views height width"] | None = None
    depth_confidence: Float[Tensor, "views height width"] | None = None
    normal: Float[Tensor, "views height width 3"] | None = None
    label: Int16[Tensor, "views height width"] | None = None
    instance: Int16[Tensor, "views height width"] | None = None
    points: SparsePoints | None = None
    ignore: UInt8[Tensor, "views height width"] | None = None
    behind: UInt8[Tensor, "views height width 3"] | None = None
    relative_depth: Float[Tensor, "views height width"] | None = None
    disparity: Float[Tensor, "views height width"] | None = None
    image_storage: str = "auto"
    on_disk: bool = False

    def __len__(self) -> int:
        return self.rgb.shape[0]

    def __getitem__(self, which: slice) -> "Views":
        """Return some of the views; their images share memory with these."""
        images = {name: image[which] for name, image in self.images.items()}
        points = None if self.points is None else self.points[which]
        ignore = None if self.ignore is None else self.ignore[which]
        names, cameras = self.names[which], self.cameras[which]
        return replace(self, cameras=cameras, names=names, points=points, ignore=ignore, **images)

    def some(self, index: Sequence[int]) -> "Views":
        """Return some of the views, in any order; their images are copied."""
        images = dict(self.images)
        if self.ignore is not None:
            images["ignore"] = self.ignore
        each = sum(image[0].nbytes for image in images.values())
        storage = storage_for(self.image_storage, len(index) * each)
        which = torch.tensor(index)
        return replace(
            self,
            cameras=self.cameras[which],
            names=tuple(self.names[view] for view in index),
            points=None if self.points is None else self.points[which],
            on_disk=storage.on_disk,
            **{name: storage.store_some(image, index) for name, image in images.items()},
        )

    def counts(self, view: int) -> Bool[np.ndarray, "height width"] | None:
        """Return which stored pixels of a view count; None if all do.

        Pixels beyond the image, where it is smaller than the largest, do not.
        """
        width, height = self.cameras.size(view)
        if self.ignore is None and (height, width) == self.rgb.shape[1:3]:
            return None
        counted = np.zeros(tuple(self.rgb.shape[1:3]), dtype=bool)
        counted[:height, :width] = True
        if self.ignore is not None:
            counted &= self.ignore[view].cpu().numpy() == 0
        return counted

    @property
    def images(self) -> dict[str, Tensor]:
        """The known images by name, each of shape (views, height, width, ...)."""
        maps = ("depth", "depth_confidence", "relative_depth", "disparity", "normal")
        names = ("rgb", "mask", *maps, "label", "instance", "behind")
        images = {name: getattr(self, name) for name in names}
        return {name: image for name, image in images.items() if image is not None}

    @property
    def offers(self) -> frozenset[str]:
        """Names of the observed quantities."""
        points = {} if self.points is None else self.points.quantities
        images = (name for name in self.images if name != "behind")
        return frozenset({*(f"target_{name}" for name in images), *points})

    def with_inpainted_background(self) -> "Views":
        """Return the views with what lies ``behind`` the object; the same without masks."""
        if self.mask is None:
            return self
        storage = storage_for(self.image_storage, self.rgb.nbytes)
        behind = storage.allocate(self.rgb.shape)
        for view, target in enumerate(behind):
            width, height = self.cameras.size(view)
            rgb, mask = self.rgb[view, :height, :width], self.mask[view, :height, :width]
            target[:height, :width] = inpaint_background(rgb, mask)
        return replace(self, behind=behind, on_disk=self.on_disk or storage.on_disk)

    def without_masks(self, background: str) -> "Views":
        """Return the views without masks, composited on the background (white or black).

        With ``background`` none the colours are left as stored.
        """
        if self.mask is None or background == "none":
            return replace(self, mask=None)
        behind = 0.0 if background == "black" else 255.0
        storage = storage_for(self.image_storage, self.rgb.nbytes)
        rgb = storage.allocate(self.rgb.shape)
        # One view at a time: all of them as floats take four times the memory.
        for image, color, mask in zip(rgb, self.rgb, self.mask, strict=True):
            alpha = mask[..., None].float() / 255.0
            image.copy_((alpha * color + (1 - alpha) * behind).round_())
        return replace(self, rgb=rgb, mask=None, on_disk=self.on_disk or storage.on_disk)

    def to(self, device: torch.device | str) -> "Views":
        """Return the views with images and cameras on a device."""
        return replace(self.images_to(device), cameras=self.cameras.to(device))

    def images_to(self, device: torch.device | str) -> "Views":
        """Return the views with their images on a device; cameras and points are not moved."""
        images = {name: image.to(device) for name, image in self.images.items()}
        return replace(self, **images, on_disk=self.on_disk and torch.device(device).type == "cpu")

    def stored_in(self, storage: ImageStorage) -> "Views":
        """Return the views with their images in a storage."""
        images = {name: storage.store(image) for name, image in self.images.items()}
        return replace(self, **images, on_disk=storage.on_disk)

    def stored_for_training(self, device: torch.device) -> "Views":
        """Return the views with their images stored as ``image_storage`` asks.

        ``auto`` moves them to the device if they take at most half of its free memory. Images that
        stay on the host are transferred batch by batch.
        """
        check_image_storage(self.image_storage)
        if device.type == "cpu" or self.image_storage in ("host", "disk"):
            return self
        size, free = sum(image.nbytes for image in self.images.values()), free_memory(device)
        stay = self.image_storage == "auto" and free is not None and size > MAX_FRACTION * free
        log.info(
            "images: %s, free memory: %s; they %s (dataset.image_storage)",
            format_bytes(size),
            "unknown" if free is None else format_bytes(free),
            "stay on the host" if stay else f"move to {device}",
        )
        return self if stay else self.images_to(device)
