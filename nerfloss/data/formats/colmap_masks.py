"""The masks beside a folder of images, named like them."""

from collections.abc import Sequence
from pathlib import Path

from nerfloss.data.errors import DataError
from nerfloss.data.formats.colmap_images import FileIndex, mask_folder
from nerfloss.data.formats.parsed_scene import ParseSettings


def image_masks(
    root: Path, names: Sequence[str], settings: ParseSettings, notes: list[str]
) -> dict[str, Path]:
    """Return the masks of the images that have one, by the image's name.

    Raises DataError for ``dataset.masks=true`` where there are none.
    """
    place = mask_folder(root)
    if place is None:
        if settings.masks is True:
            found = f"no folder of masks beside {root}, but dataset.masks=true"
            raise DataError(root, found, "add masks/ or set dataset.masks=auto")
        return {}
    files = FileIndex(place)
    found = {name: files.find_mask(name) for name in names}
    masks = {name: path for name, path in found.items() if path is not None}
    if not masks and settings.masks is not True:
        notes.append(f"{place}: no file has the name of an image, no masks are used")
        return {}
    if not masks:
        found = f"no file has the name of one of the {len(names)} images, but dataset.masks=true"
        raise DataError(place, found, "name the masks like the images, or set dataset.masks=auto")
    if without := sorted(name for name in names if name not in masks):
        listed = ", ".join(without[:5]) + (" ..." if len(without) > 5 else "")
        notes.append(f"{place}: {len(without)} of {len(names)} images have no mask: {listed}")
    notes.append(
        f"{place}: taken as object masks, white on the object "
        "(dataset.mask_meaning=ignore: black pixels do not count)"
    )
    return masks
