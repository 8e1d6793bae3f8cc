"""Which photographs share a camera, and the size at which their features are found."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nerfloss.data.capture.photographs import Photograph
from nerfloss.data.errors import DataError

SHARING = ("auto", "image", "folder", "all")
# Sizes that differ by less are one camera's: undistorted photographs vary by some pixels.
SAME_SIZE = 0.02
# Below this length of the longer side features are too few: images are enlarged for the search.
ENLARGED_SIZE = 1000
SMALL = 640
# In units of the longer side: COLMAP's guess where EXIF says nothing.
GUESSED_FOCAL = 1.2


@dataclass(frozen=True)
class CameraGroup:
    """Photographs of one camera: ``members`` are indices, ``size`` the largest width and height.

    ``factor`` enlarges them for the search of features. ``focal`` is in pixels of the enlarged
    image; ``known`` says that EXIF states it.
    """

    members: tuple[int, ...]
    size: tuple[int, int]
    factor: int
    focal: float
    known: bool

    @property
    def canvas(self) -> tuple[int, int]:
        """Width and height of the enlarged images, all padded to one size."""
        return self.size[0] * self.factor, self.size[1] * self.factor


def camera_groups(photographs: Sequence[Photograph], sharing: str = "auto") -> list[CameraGroup]:
    """Return the groups of photographs that share the parameters of a camera.

    ``sharing``: "image" (one camera each), "folder" (one per folder), "all" (a single one), or
    "auto": the same folder, EXIF and, within 2 %, size. Raises DataError where photographs that
    shall share a camera differ in size by more.
    """
    if sharing not in SHARING:
        raise ValueError(f"camera_per must be one of {', '.join(SHARING)}, got {sharing!r}")
    groups: list[tuple[str, list[int]]] = []
    for index, photograph in enumerate(photographs):
        key = _key(photograph, index, sharing)
        for other, members in groups:
            if other == key and (sharing != "auto" or _one_size(photographs, members[0], index)):
                members.append(index)
                break
        else:
            groups.append((key, [index]))
    for _, members in groups:
        if not all(_one_size(photographs, members[0], index) for index in members):
            _refuse(photographs, members)
    return [_group([photographs[i] for i in members], members) for _, members in groups]


def _key(photograph: Photograph, index: int, sharing: str) -> str:
    folder = photograph.name.rpartition("/")[0]
    focal = f"{photograph.focal:.3f}" if photograph.focal else ""
    auto = f"{folder if not photograph.device else ''}|{photograph.device}|{focal}"
    return {"image": str(index), "folder": folder, "all": "", "auto": auto}[sharing]


def _one_size(photographs: Sequence[Photograph], first: int, second: int) -> bool:
    a, b = photographs[first], photographs[second]
    across, down = abs(a.width / b.width - 1), abs(a.height / b.height - 1)
    return max(across, down) <= SAME_SIZE


def _refuse(photographs: Sequence[Photograph], members: list[int]) -> None:
    first = photographs[members[0]]
    other = next(photographs[i] for i in members if not _one_size(photographs, members[0], i))
    found = (
        f"{other.width} x {other.height} pixels, where {first.name} has "
        f"{first.width} x {first.height}: they cannot share a camera"
    )
    raise DataError(other.path, found, "take --camera-per auto, or --camera-per image")


def _group(members: list[Photograph], indices: list[int]) -> CameraGroup:
    size = max(each.width for each in members), max(each.height for each in members)
    longest = max(size)
    factor = max(1, min(4, round(ENLARGED_SIZE / longest))) if longest < SMALL else 1
    stated = sorted(each.focal for each in members if each.focal)
    if stated:
        diagonal = math.hypot(members[0].width, members[0].height)
        focal = stated[len(stated) // 2] * diagonal * factor
    else:
        focal = GUESSED_FOCAL * longest * factor
    return CameraGroup(tuple(indices), size, factor, focal, bool(stated))
