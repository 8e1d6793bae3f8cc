"""Scenes in the layout of NeuS, IDR and DTU: cameras_sphere.npz, image/ and mask/."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from nerfloss.data.formats.folder_dataset import FolderDataset


@dataclass(frozen=True)
class NeusDataset(FolderDataset):
    """A scene in the layout of NeuS.

    ``scale_mat_0`` maps the unit ball to the coordinates of the data. ``masks`` may also be "auto":
    used if there is a folder mask/. Without masks the background is unknown, images are used as
    stored, and ``background`` has no effect.
    """

    layout: str = "neus"
    hold_out: Mapping[str, Any] | Sequence[str] | str | int | None = field(
        default_factory=lambda: {"every": 8}
    )

    content: ClassVar[str] = "a NeuS scene (a folder with cameras_sphere.npz and image/)"
