"""Settings with which a parsed scene is built."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BuildSettings:
    """Settings of `build_scene`: those of the dataset (see `FolderDataset`), by the same names."""

    background: str = "auto"
    masks: bool | str = "auto"
    downscale: int = 1
    hold_out: Mapping[str, Any] | Sequence[str] | str | int | None = None
    region: Mapping[str, Any] | None = None
    orientation: str = "auto"
    scene_scale: float | int | str = "auto"
    image_storage: str = "auto"


DEFAULTS = BuildSettings()
