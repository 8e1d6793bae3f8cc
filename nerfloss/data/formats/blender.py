"""NeRF-synthetic scenes: transforms_{train,val,test}.json and RGBA images."""

from dataclasses import dataclass
from typing import ClassVar

from nerfloss.data.formats.folder_dataset import FolderDataset


@dataclass(frozen=True)
class BlenderDataset(FolderDataset):
    """A scene in the layout of NeRF-synthetic; an alpha channel is the mask.

    ``scene_radius``, in units of the files, becomes 1 in scene units: NeRF-synthetic objects lie
    within 1.5 of the origin, the cameras at a distance of 4. None: the region is chosen by masks,
    points or cameras. Test views come from transforms_test.json or transforms_val.json, or from
    transforms_train.json if ``hold_out`` is set.
    """

    layout: str = "blender"
    masks: bool | str = True
    scene_radius: float | int | None = 1.5

    content: ClassVar[str] = "a NeRF-synthetic scene (a folder with transforms_train.json)"
