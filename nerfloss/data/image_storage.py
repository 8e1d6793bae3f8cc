"""Where images lie: on the training device, in the host's memory, or on its disk, mapped."""

import logging
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nerfloss.files import format_bytes
from nerfloss.memory import free_on

log = logging.getLogger(__name__)

IMAGE_STORAGES = ("auto", "device", "host", "disk")
# Images may take so much of the memory that is free: training and evaluation want the rest.
SHARE = 0.5


@dataclass(frozen=True)
class ImageStorage:
    """Makes room for images: in memory, or in a file that is read and forgotten page by page.

    The file has no name, so nothing is left of it however the run ends. It lies where temporary
    files do, which the environment's TMPDIR says.
    """

    on_disk: bool = False

    def room(self, shape: Sequence[int], dtype: torch.dtype = torch.uint8) -> Tensor:
        """A tensor to be filled. Raises OSError where the disk has no room for it."""
        if not self.on_disk:
            return torch.empty(tuple(shape), dtype=dtype)
        kind = torch.empty(0, dtype=dtype).numpy().dtype
        size = math.prod(shape) * kind.itemsize
        with tempfile.TemporaryFile(prefix="nerfloss_images_") as file:
            _reserve(file.fileno(), size)
            mapped = np.memmap(file, dtype=kind, mode="r+", shape=tuple(shape))
        return torch.from_numpy(mapped)

    def keep(self, images: Tensor) -> Tensor:
        """The same images here, contiguous, copied one at a time where they lie elsewhere."""
        if not self.on_disk:
            return images.contiguous()
        kept = self.room(images.shape, images.dtype)
        for room, image in zip(kept, images, strict=True):
            room.copy_(image)
        return kept


def check_image_storage(image_storage: str) -> None:
    """Raise ValueError unless images can be asked to lie there."""
    if image_storage not in IMAGE_STORAGES:
        choices = ", ".join(IMAGE_STORAGES)
        raise ValueError(
            f"dataset.image_storage={image_storage!r} is none of {choices}; choose one"
        )


def storage_for(image_storage: str, size: int) -> ImageStorage:
    """Where to decode ``size`` bytes of images: ``auto`` is the disk where memory is too small."""
    check_image_storage(image_storage)
    if image_storage != "auto":
        return ImageStorage(on_disk=image_storage == "disk")
    free = free_on(torch.device("cpu"))
    if free is None or size <= SHARE * free:
        return ImageStorage(on_disk=False)
    log.info(
        "%s of images, %s of memory free: they are kept on disk, in %s (dataset.image_storage)",
        format_bytes(size), format_bytes(free), tempfile.gettempdir(),
    )  # fmt: skip
    return ImageStorage(on_disk=True)


def _reserve(file: int, size: int) -> None:
    """Take the room now: a mapped page that the disk lacks later ends a process without a word."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, max(size, 1))
        else:
            os.truncate(file, max(size, 1))
    except OSError as error:
        raise OSError(
            error.errno,
            f"{format_bytes(size)} of images do not fit into {tempfile.gettempdir()} "
            f"({error.strerror}): set TMPDIR to a folder with more room, or "
            f"dataset.image_storage=host to keep them in memory",
        ) from error
