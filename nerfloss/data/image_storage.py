"""Storage of images: on the training device, in host memory, or memory-mapped on disk."""

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
from nerfloss.memory import free_memory

log = logging.getLogger(__name__)

IMAGE_STORAGES = ("auto", "device", "host", "disk")
# Largest fraction of the free memory for images; training and evaluation need the rest.
MAX_FRACTION = 0.5


@dataclass(frozen=True)
class ImageStorage:
    """Allocate images in memory, or in a memory-mapped temporary file.

    The file is unlinked at once, so nothing remains however the run ends. Its folder is set by the
    environment variable TMPDIR.
    """

    on_disk: bool = False

    def allocate(self, shape: Sequence[int], dtype: torch.dtype = torch.uint8) -> Tensor:
        """Return an uninitialised tensor. Raises OSError if the disk has no space for it."""
        if not self.on_disk:
            return torch.empty(tuple(shape), dtype=dtype)
        kind = torch.empty(0, dtype=dtype).numpy().dtype
        size = math.prod(shape) * kind.itemsize
        with tempfile.TemporaryFile(prefix="nerfloss_images_") as file:
            _reserve(file.fileno(), size)
            mapped = np.memmap(file, dtype=kind, mode="r+", shape=tuple(shape))
        return torch.from_numpy(mapped)

    def store(self, images: Tensor) -> Tensor:
        """Return the images, contiguous, in this storage."""
        if not self.on_disk:
            return images.contiguous()
        stored = self.allocate(images.shape, images.dtype)
        # One at a time: pages already written can be evicted.
        for target, image in zip(stored, images, strict=True):
            target.copy_(image)
        return stored


def check_image_storage(image_storage: str) -> None:
    """Raise ValueError unless the name is one of `IMAGE_STORAGES`."""
    if image_storage not in IMAGE_STORAGES:
        choices = ", ".join(IMAGE_STORAGES)
        raise ValueError(
            f"dataset.image_storage={image_storage!r} is none of {choices}; choose one"
        )


def storage_for(image_storage: str, size: int) -> ImageStorage:
    """Return the storage to decode ``size`` bytes into; ``auto`` uses the disk if memory is low."""
    check_image_storage(image_storage)
    if image_storage != "auto":
        return ImageStorage(on_disk=image_storage == "disk")
    free = free_memory(torch.device("cpu"))
    if free is None or size <= MAX_FRACTION * free:
        return ImageStorage(on_disk=False)
    needed, place = (
        f"{format_bytes(size)}, free memory: {format_bytes(free)}",
        tempfile.gettempdir(),
    )
    log.info("images: %s; they are stored on disk in %s (dataset.image_storage)", needed, place)
    return ImageStorage(on_disk=True)


def _reserve(file: int, size: int) -> None:
    """Reserve disk space now: writing to a mapped page without space kills the process (SIGBUS)."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, max(size, 1))
        else:
            os.truncate(file, max(size, 1))
    except OSError as error:
        raise OSError(
            error.errno,
            f"{format_bytes(size)} of images do not fit into {tempfile.gettempdir()} "
            f"({error.strerror}): set TMPDIR to a folder with more space, or "
            f"dataset.image_storage=host to keep them in memory",
        ) from error
