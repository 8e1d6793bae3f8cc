"""Photographs without poses: structure from motion makes a scene of them, which is then read."""

import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from nerfloss.data.capture.scene_of_photographs import CaptureSettings, capture
from nerfloss.data.capture.worker import STAGES
from nerfloss.data.errors import existing
from nerfloss.data.formats.folder_dataset import FolderDataset

log = logging.getLogger(__name__)


def _logged_stages() -> Callable[[str, int, int], None]:
    """Return a progress callback that logs a stage when it begins, and then once a minute."""
    logged: dict[str, float] = {}

    def progress(stage: str, done: int, total: int) -> None:
        if time.monotonic() - logged.get(stage, -math.inf) >= 60:
            logged[stage] = time.monotonic()
            log.info("photographs: %s: %d of %d", STAGES.get(stage, stage), done, total)

    return progress


@dataclass(frozen=True)
class PhotosDataset(FolderDataset):
    """A scene made of a folder of photographs, or of a video; it is made once and then read.

    ``scene`` is the folder of the scene: by default ``<photographs>_scene`` beside them, or
    ``scenes/<name>`` in the working folder where that cannot be written. ``camera_model`` is
    COLMAP's name, ``max_size`` the longer side of the scene's images in pixels (0: as they are).
    """

    layout: str = "colmap"
    scene: str | None = None
    camera_model: str = "SIMPLE_RADIAL"
    max_size: int = 1600

    content: ClassVar[str] = "a folder of photographs, or a video"

    def folder(self) -> Path:
        """Return the folder of the scene; it is made where it is not there. Raises DataError."""
        return self._made

    @cached_property
    def _made(self) -> Path:
        photographs = existing(self.path, self.content)
        scene = self._place(photographs.resolve())
        settings = CaptureSettings(camera_model=self.camera_model, max_size=self.max_size)
        log.info("photographs: the scene of %s is in %s (dataset.scene)", photographs, scene)
        report = capture(photographs, scene, settings, _logged_stages())
        for line in report.lines():
            log.info("photographs: %s", line)
        return scene

    def _place(self, photographs: Path) -> Path:
        if self.scene is not None:
            return Path(str(self.scene)).expanduser()
        name = photographs.stem if photographs.is_file() else photographs.name
        beside = photographs.with_name(f"{name}_scene")
        writable = os.access(beside if beside.exists() else beside.parent, os.W_OK)
        return beside if writable else Path("scenes") / name
