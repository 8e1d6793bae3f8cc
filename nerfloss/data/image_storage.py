"""Storage of images: on the training device, in host memory, or memory-mapped on disk."""

import logging
import math
import mmap
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from nerfloss.files import format_bytes
from nerfloss.memory import OutOfMemory, free_memory

log = logging.getLogger(__name__)

IMAGE_STORAGES = ("auto", "device", "host", "disk")
# Largest fraction of the free memory for images; training and evaluation need the rest.
MAX_FRACTION = 0.5
# Reads in flight from a disk: of 4096 pixels that are not in memory, a solid-state disk delivers
# three times as many per second with 8 as with one.
READERS = 8
# File systems that keep their files in memory.
IN_MEMORY = ("tmpfs", "ramfs")
REMEDY = "raise dataset.downscale"


@dataclass(frozen=True)
class ImageStorage:
    """Allocate images in memory, or in a memory-mapped temporary file.

    The file is unlinked at once, so nothing remains however the run ends. It lies in
    `disk_folder`.
    """

    on_disk: bool = False

    def allocate(self, shape: Sequence[int], dtype: torch.dtype = torch.uint8) -> Tensor:
        """Return a tensor of zeros. Raises OSError if the disk has no space for it."""
        kind = torch.empty(0, dtype=dtype).numpy().dtype
        if not self.on_disk:
            # Pages are zeroed by the system when they are first written.
            return torch.from_numpy(np.zeros(tuple(shape), dtype=kind))
        size = max(math.prod(shape) * kind.itemsize, 1)
        with tempfile.TemporaryFile(prefix="nerfloss_images_", dir=disk_folder()) as file:
            _reserve(file.fileno(), size)
            mapped = mmap.mmap(file.fileno(), size)
        if hasattr(mapped, "madvise"):
            # Otherwise a pixel that is not in memory is read with 50 kB around it.
            mapped.madvise(mmap.MADV_RANDOM)
        return torch.from_numpy(np.ndarray(tuple(shape), dtype=kind, buffer=mapped))

    def store(self, images: Tensor) -> Tensor:
        """Return the images, contiguous, in this storage."""
        if not self.on_disk:
            return images.contiguous()
        return self.store_some(images, range(len(images)))

    def store_some(self, images: Tensor, index: Sequence[int]) -> Tensor:
        """Return copies of some of the images in this storage."""
        stored = self.allocate((len(index), *images.shape[1:]), images.dtype)
        # One at a time: pages already written can be evicted.
        for target, view in zip(stored, index, strict=True):
            target.copy_(images[view])
        return stored


def check_image_storage(image_storage: str) -> None:
    """Raise ValueError unless the name is one of `IMAGE_STORAGES`."""
    if image_storage not in IMAGE_STORAGES:
        choices = ", ".join(IMAGE_STORAGES)
        raise ValueError(
            f"dataset.image_storage={image_storage!r} is none of {choices}; choose one"
        )


def storage_for(image_storage: str, size: int) -> ImageStorage:
    """Return the storage to decode ``size`` bytes into; ``auto`` uses the disk if memory is low.

    Raises OutOfMemory for images that must be in memory and are larger than the free memory.
    """
    check_image_storage(image_storage)
    if image_storage == "disk":
        return ImageStorage(on_disk=True)
    free = free_memory(torch.device("cpu"))
    if image_storage != "auto":
        if free is not None and size > free:
            raise OutOfMemory(
                f"dataset.image_storage={image_storage}: the images take {format_bytes(size)}, "
                f"and {format_bytes(free)} of memory are free; set dataset.image_storage=disk "
                f"(or auto), or {REMEDY}"
            )
        return ImageStorage(on_disk=False)
    if free is None or size <= MAX_FRACTION * free:
        return ImageStorage(on_disk=False)
    needed, place = (
        f"{format_bytes(size)}, free memory: {format_bytes(free)}",
        disk_folder(),
    )
    log.info("images: %s; they are stored on disk in %s (dataset.image_storage)", needed, place)
    return ImageStorage(on_disk=True)


def disk_folder() -> Path:
    """Return the folder for temporary files that are too large for memory.

    It is TMPDIR or the system's folder for temporary files; where that one is kept in memory,
    /var/tmp. Raises OSError if that is kept in memory, too.
    """
    folder, other = Path(tempfile.gettempdir()), Path("/var/tmp")
    if not _in_memory(folder):
        return folder
    if other.is_dir() and os.access(other, os.W_OK) and not _in_memory(other):
        return other
    raise OSError(
        f"{folder} is kept in memory, where the images do not fit: set TMPDIR to a folder on a "
        f"disk, or {REMEDY}"
    )


def gather_rows(images: Tensor, index: Int[Tensor, "rows"], on_disk: bool = False) -> Tensor:
    """Return some rows; from a disk, several are read at a time."""
    if not on_disk or len(index) < READERS:
        return images.index_select(0, index)
    parts = index.chunk(READERS)
    return torch.cat(
        list(_readers(os.getpid()).map(lambda part: images.index_select(0, part), parts))
    )


@cache
def _readers(process: int) -> ThreadPoolExecutor:  # noqa: ARG001
    """Return the reading threads of a process: a forked one does not inherit its parent's."""
    return ThreadPoolExecutor(READERS, thread_name_prefix="nerfloss_images")


def _in_memory(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Return whether the files of a folder are kept in memory; False where that is unknown."""
    try:
        lines = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return False
    kind, longest = "", -1
    for words in lines:
        # The last of equal mount points hides the others.
        point = Path(words[1].replace("\\040", " "))
        if folder.resolve().is_relative_to(point) and len(point.parts) >= longest:
            kind, longest = words[2], len(point.parts)
    return kind in IN_MEMORY


def _reserve(file: int, size: int) -> None:
    """Reserve disk space now: writing to a mapped page without space kills the process (SIGBUS)."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, size)
        else:
            os.truncate(file, size)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{format_bytes(size)} of images do not fit into {disk_folder()} "
            f"({error.strerror}): set TMPDIR to a folder with more space, {REMEDY}, or "
            f"set dataset.image_storage=host to keep them in memory",
        ) from error
