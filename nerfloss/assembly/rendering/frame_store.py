"""The frames of a video on disk, kept for as long as they show the same."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import torch
from jaxtyping import UInt8

from nerfloss.data.errors import DataError
from nerfloss.files import atomic_write

RECORD = "render.json"


@dataclass(frozen=True)
class FrameStore:
    """One PNG for each frame and mode: ``frames/MODE/00000.png`` in a folder.

    ``render.json`` holds the key, what the frames depend on, and ``facts`` on them.
    """

    folder: Path

    def path(self, mode: str, frame: int) -> Path:
        """Return the file of a frame."""
        return self.folder / "frames" / mode / f"{frame:05d}.png"

    def begin(self, key: Mapping[str, Any]) -> dict[str, Any]:
        """Return the facts that were recorded for this key; empty, without frames, for another.

        Frames of another key are removed. Raises DataError for a folder with something else in it.
        """
        record = self.folder / RECORD
        stored: dict[str, Any] = {}
        if record.is_file():
            try:
                stored = dict(json.loads(record.read_bytes()))
            except ValueError:
                stored = {}
        elif self.folder.is_dir() and any(self.folder.iterdir()):
            remedy = "give a new folder, or one that nerfloss render has written"
            raise DataError(self.folder, f"has files, but no {RECORD}", remedy)
        if stored.get("key") == dict(key):
            return dict(stored.get("facts", {}))
        for file in (self.folder / "frames").glob("*/[0-9]*.png"):
            file.unlink()
        return {}

    def record(self, key: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Write the key and facts of the frames."""
        content = json.dumps({"key": dict(key), "facts": dict(facts)}, indent=2)
        atomic_write(self.folder / RECORD, content.encode())

    def missing(self, modes: Sequence[str], frame: int) -> list[str]:
        """Return the modes that a frame does not have yet."""
        return [mode for mode in modes if not self.path(mode, frame).is_file()]

    def write(self, mode: str, frame: int, pixels: UInt8[np.ndarray, "height width 3"]) -> None:
        """Write a frame atomically."""
        atomic_write(self.path(mode, frame), iio.imwrite("<bytes>", pixels, extension=".png"))

    def read(self, mode: str, frame: int) -> UInt8[np.ndarray, "height width 3"]:
        """Read a frame."""
        return iio.imread(self.path(mode, frame))


def fingerprint(state: Any) -> str:
    """Return the SHA-256 of a nested state of tensors and plain values."""
    digest = hashlib.sha256()
    for name, value in _flat("", state):
        digest.update(name.encode())
        if isinstance(value, torch.Tensor):
            plain = value.detach().cpu().contiguous()
            digest.update(f"{plain.dtype} {tuple(plain.shape)}".encode())
            digest.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
        elif isinstance(value, np.ndarray):
            digest.update(f"{value.dtype} {value.shape}".encode() + value.tobytes())
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()


def _flat(name: str, state: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(state, Mapping):
        for key, value in state.items():
            yield from _flat(f"{name}.{key}", value)
    elif isinstance(state, list | tuple):
        for index, value in enumerate(state):
            yield from _flat(f"{name}.{index}", value)
    else:
        yield name, state
