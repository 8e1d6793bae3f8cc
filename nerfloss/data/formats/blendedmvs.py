"""Scenes in the layout of BlendedMVS: blended_images/, cams/ and rendered_depth_maps/."""

from pathlib import Path

import numpy as np

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_pairs import list_images
from nerfloss.data.formats.image_paths import is_file, is_folder, without_ending
from nerfloss.data.formats.mvsnet_cameras import read_mvsnet_camera
from nerfloss.data.formats.parsed_scene import DepthConvention, Frame, ParsedScene, ParseSettings
from nerfloss.data.image_headers import read_header

IMAGES, CAMERAS, DEPTH = "blended_images", "cams", "rendered_depth_maps"
CONTENT = f"a BlendedMVS scene (a folder with {IMAGES}/ and {CAMERAS}/)"
MASKED = "_masked"


def detect(folder: Path) -> bool:
    """Return True if the folder has the images and cameras of BlendedMVS."""
    return is_folder(folder / IMAGES) and is_folder(folder / CAMERAS)


def parse(folder: Path, settings: ParseSettings) -> ParsedScene:
    """Read a scene; ``00000012.jpg`` has the camera ``cams/00000012_cam.txt``.

    The images ``_masked`` are not used: black is not told from background in them. Depth maps are
    those of the reconstruction, along z. Raises DataError for missing or contradictory files.

    Reference: Yao et al., BlendedMVS, CVPR 2020.
    """
    if not detect(folder):
        raise DataError(folder, f"no {IMAGES}/ or no {CAMERAS}/", f"dataset.path must be {CONTENT}")
    place = folder / (settings.images or IMAGES)
    images = [p for p in list_images(place) if not without_ending(p.name).endswith(MASKED)]
    files = {image: folder / CAMERAS / f"{without_ending(image.name)}_cam.txt" for image in images}
    missing = [image for image, file in files.items() if not is_file(file)]
    notes = []
    if missing and (settings.missing != "skip" or len(missing) == len(images)):
        found = f"no camera for {len(missing)} of {len(images)} images, first {missing[0].name}"
        remedy = "restore the files, or set dataset.missing=skip"
        raise DataError(files[missing[0]], found, remedy)
    if missing:
        notes.append(f"no camera for {len(missing)} of {len(images)} images: left out")
    if not images:
        raise DataError(place, "no images", f"dataset.path must be {CONTENT}")
    frames = [_frame(image, file, folder) for image, file in files.items() if image not in missing]
    radius = settings.scene_radius
    return ParsedScene(
        folder,
        "blendedmvs",
        tuple(frames),
        region=None if radius is None else np.diag([radius, radius, radius, 1.0]),
        depth=DepthConvention(unit=1.0),
        notes=tuple(notes),
    )


def _frame(image: Path, file: Path, folder: Path) -> Frame:
    stored, header = read_mvsnet_camera(file), read_header(image)
    (fx, _, cx), (_, fy, cy), _ = stored.intrinsics.tolist()
    if not (0 < cx < header.width and 0 < cy < header.height):
        found = (
            f"the principal point ({cx:.0f}, {cy:.0f}) is outside of the image of "
            f"{header.width} x {header.height} pixels"
        )
        raise DataError(file, found, "use images of the size that the cameras are for")
    # The centre of the first pixel is 0 in these files.
    camera = Camera.pinhole(header.width, header.height, fx, fy, cx + 0.5, cy + 0.5)
    name = without_ending(image.name)
    depth = folder / DEPTH / f"{name}.pfm"
    return Frame(
        name,
        image,
        camera,
        stored.pose,
        states_size=False,
        depth=depth if is_file(depth) else None,
    )
