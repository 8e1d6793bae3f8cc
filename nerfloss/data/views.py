"""Posed images of one split: colour, and where known mask, depth, normal, labels and points."""

import logging
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int16, UInt8
from torch import Tensor

from nerfloss.data.cameras.pinhole import Cameras
from nerfloss.data.image_storage import SHARE, ImageStorage, check_image_storage, storage_for
from nerfloss.data.sparse_points import SparsePoints
from nerfloss.files import format_bytes
from nerfloss.memory import free_on

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Views:
    """What the cameras of one split saw.

    ``rgb`` and ``mask`` stay 8 bit: a thousand full-HD views take 8 GB this way and 33 as floats.
    ``rgb`` is straight colour, not multiplied by the opacity. ``mask`` is the opacity, 0 to 255.
    ``depth`` is the distance along the ray in scene units, 0 where unknown. ``normal`` is unit,
    outward and in the world frame, 0 where unknown. ``label`` is the semantic class and
    ``instance`` the object that a pixel shows, 0 for the background. ``points`` are surface points
    observed beside the images. ``image_storage`` says where a run is to keep the images: on its
    device, in the host's memory, on disk, or ``auto``, the first of these with the room.
    """

    cameras: Cameras
    names: tuple[str, ...]
    rgb: UInt8[Tensor, "views height width 3"]
    mask: UInt8[Tensor, "views height width"] | None = None
    depth: Float[Tensor, "views height width"] | None = None
    normal: Float[Tensor, "views height width 3"] | None = None
    label: Int16[Tensor, "views height width"] | None = None
    instance: Int16[Tensor, "views height width"] | None = None
    points: SparsePoints | None = None
    image_storage: str = "auto"

    def __len__(self) -> int:
        return self.rgb.shape[0]

    def __getitem__(self, which: slice) -> "Views":
        """Some of the views; their images share memory with these."""
        images = {name: image[which] for name, image in self.observed.items()}
        points = None if self.points is None else self.points[which]
        names, cameras = self.names[which], self.cameras[which]
        return replace(self, cameras=cameras, names=names, points=points, **images)

    @property
    def observed(self) -> dict[str, Tensor]:
        """The images there are, by name, each starting with views, height, width."""
        names = ("rgb", "mask", "depth", "normal", "label", "instance")
        images = {name: getattr(self, name) for name in names}
        return {name: image for name, image in images.items() if image is not None}

    @property
    def offers(self) -> frozenset[str]:
        """Names of the observed quantities."""
        points = {} if self.points is None else self.points.observed
        return frozenset({*(f"target_{name}" for name in self.observed), *points})

    def without_masks(self, background: str) -> "Views":
        """The same views as photographs: on their background (white, black), the mask forgotten.

        With ``background`` none the colours stay as they are stored.
        """
        if self.mask is None or background == "none":
            return replace(self, mask=None)
        behind = 0.0 if background == "black" else 255.0
        rgb = storage_for(self.image_storage, self.rgb.nbytes).room(self.rgb.shape)
        # One view at a time: all of them as floats take four times the memory.
        for image, color, mask in zip(rgb, self.rgb, self.mask, strict=True):
            alpha = mask[..., None].float() / 255.0
            image.copy_((alpha * color + (1 - alpha) * behind).round_())
        return replace(self, rgb=rgb, mask=None)

    def to(self, device: torch.device | str) -> "Views":
        return replace(self.placed(device), cameras=self.cameras.to(device))

    def placed(self, device: torch.device | str) -> "Views":
        """The same views, their images on a device; cameras and points stay where they are."""
        images = {name: image.to(device) for name, image in self.observed.items()}
        return replace(self, **images)

    def kept(self, storage: ImageStorage) -> "Views":
        """The same views, their images in a storage."""
        images = {name: storage.keep(image) for name, image in self.observed.items()}
        return replace(self, **images)

    def settled(self, device: torch.device) -> "Views":
        """The same views, their images where a run on ``device`` draws pixels from.

        On the device itself where ``image_storage`` says so, or is ``auto`` and they take at most
        half of what is free there. Elsewhere they stay, and the pixels of a batch follow it.
        """
        check_image_storage(self.image_storage)
        if device.type == "cpu" or self.image_storage in ("host", "disk"):
            return self
        size, free = sum(image.nbytes for image in self.observed.values()), free_on(device)
        stay = self.image_storage == "auto" and free is not None and size > SHARE * free
        said = "unknown" if free is None else format_bytes(free)
        where = "stay where they are, their pixels follow" if stay else f"go to {device}"
        log.info(
            "%s of images, %s free: they %s (dataset.image_storage)",
            format_bytes(size),
            said,
            where,
        )
        return self if stay else self.placed(device)
