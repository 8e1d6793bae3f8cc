"""Scans of DTU's MVS data as published: rectified images, cal18, and reference geometry.

Written from the description of the data set, and tested on small folders of this layout that the
tests write. Reference: Jensen et al., Large Scale Multi-view Stereopsis Evaluation, CVPR 2014;
Aanaes et al., Large-Scale Data for Multiple-View Stereopsis, IJCV 2016.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nerfloss.data.errors import DataError
from nerfloss.data.formats.colmap_masks import image_masks
from nerfloss.data.formats.dtu_files import (
    calibration,
    image_folder,
    image_folders,
    images_by_position,
    reference,
)
from nerfloss.data.formats.image_paths import without_ending
from nerfloss.data.formats.parsed_scene import Frame, ParsedScene, ParseSettings
from nerfloss.data.formats.pose_matrices import check_matrix
from nerfloss.data.formats.projections import FARTHEST, decomposed, pinhole_of
from nerfloss.data.image_headers import read_header

CALIBRATED = (1600, 1200)  # width and height of the images that cal18 is for
# Twice the principal point, over the size of the image.
CENTRAL = (0.6, 1.6)
SAME_FOCAL = 0.01  # the focal lengths of one camera differ by less, relative to their median
REPAIR = "restore the file: a matrix of 3 x 4 numbers"

Decomposed = tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3 4"]]


def detect(folder: Path) -> bool:
    """Return True if the folder holds images named as DTU's, or scans with such images."""
    return bool(image_folders(folder))


def parse(folder: Path, settings: ParseSettings) -> ParsedScene:
    """Read one scan; image ``rect_XXX_Y_r5000.png`` has the projection ``pos_XXX.txt``.

    A projection P = K [R | t] leads from millimetres to pixels of 1600 x 1200. The centre of the
    first pixel is taken as 0, which the data set does not say: MVSNet, IDR and NeuS read it so.
    Positions count from 1. Images of one light are used. The files of the evaluation are in
    ``reference``. Raises DataError for missing or contradictory files.
    """
    notes: list[str] = []
    root = image_folder(folder, settings, notes)
    images, files = images_by_position(root, notes), calibration(root)
    lost = [path.name for position, path in images.items() if position not in files]
    if lost and (settings.missing != "skip" or len(lost) == len(images)):
        place = next(iter(files.values())).parent
        found = f"no pos_XXX.txt for {len(lost)} of {len(images)} images, first {lost[0]}"
        raise DataError(place, found, "restore the files, or set dataset.missing=skip")
    if lost:
        notes.append(f"no pos_XXX.txt for {len(lost)} of {len(images)} images: left out")
    kept = {position: path for position, path in sorted(images.items()) if position in files}
    cameras = {position: read_projection(files[position]) for position in kept}
    place = files[next(iter(kept))].parent
    notes.append(f"{place}: the centre of the first pixel is taken as 0")
    notes += _of_another_camera({position: cameras[position][0][0, 0] for position in kept}, files)
    masks = image_masks(root, [path.name for path in kept.values()], settings, notes)
    sizes = _sizes(kept, cameras, place, notes)
    frames = []
    for position, path in kept.items():
        intrinsics, pose = cameras[position]
        size, stated = sizes[position]
        camera = pinhole_of(intrinsics, size, files[position], "the projection")
        name, mask = without_ending(path.name), masks.get(path.name)
        frames.append(Frame(name, path, camera, pose, states_size=stated, object_mask=mask))
    radius = settings.scene_radius
    return ParsedScene(
        folder,
        "dtu",
        tuple(frames),
        region=None if radius is None else np.diag([radius, radius, radius, 1.0]),
        reference=reference(root, folder, notes),
        notes=tuple(notes),
    )


def read_projection(path: Path) -> Decomposed:
    """Return intrinsics and camera-to-world pose of a file pos_XXX.txt.

    A first line CONTOUR is skipped. Raises DataError for anything that is no projection.
    """
    try:
        words = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, f"cannot be read ({error})", REPAIR) from error
    words = words[1:] if words[:1] == ["CONTOUR"] else words
    if len(words) != 12:
        raise DataError(path, f"{len(words)} values, not 12", REPAIR)
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise DataError(path, f"not a number ({error})", REPAIR) from error
    if np.isfinite(numbers).all() and np.abs(numbers).max() > FARTHEST:
        raise DataError(path, f"holds {np.abs(numbers).max():.3g}, beyond any unit", REPAIR)
    matrix = check_matrix(numbers.reshape(3, 4), path, "the projection")
    return decomposed(matrix[:3], path, "the projection")


def _of_another_camera(focal: Mapping[int, float], files: Mapping[int, Path]) -> list[str]:
    """Return notes on focal lengths that differ from the usual one: DTU has one camera."""
    usual = float(np.median(list(focal.values())))
    return [
        f"{files[position].name} has another focal length ({length:.0f}) than most ({usual:.0f})"
        for position, length in focal.items()
        if abs(length / usual - 1) > SAME_FOCAL
    ]


def _sizes(
    images: Mapping[int, Path], cameras: Mapping[int, Decomposed], place: Path, notes: list[str]
) -> dict[int, tuple[tuple[int, int], bool]]:
    """Return the image size that each projection is for, and whether the calibration states it.

    That is 1600 x 1200 for copies of another size. Where the principal points fit the images as
    they are better, the projections are for these. Raises DataError where they fit neither.
    """
    with ThreadPoolExecutor(max_workers=4) as pool:
        headers = list(pool.map(read_header, images.values()))
    stored = {n: (h.width, h.height) for n, h in zip(images, headers, strict=True)}
    centers = {n: cameras[n][0][:2, 2] + 0.5 for n in images}

    def ratios(sizes: Mapping[int, tuple[int, int]]) -> Float[np.ndarray, "2"]:
        """Return twice the principal point over the size, the median of all views."""
        return np.median([2 * centers[n] / sizes[n] for n in images], axis=0)

    calibrated: dict[int, tuple[int, int]] = dict.fromkeys(images, CALIBRATED)
    choices = [stored]
    if all(_is_copy(size) for size in stored.values()):
        choices.append(calibrated)
    chosen = min(choices, key=lambda sizes: _misfit(ratios(sizes)))
    found = ratios(chosen)
    if not ((found > CENTRAL[0]) & (found < CENTRAL[1])).all():
        first = next(iter(images))
        center, (width, height) = centers[first], stored[first]
        text = (
            f"the principal point ({center[0]:.0f}, {center[1]:.0f}) is far from the middle of "
            f"{images[first].name}, of {width} x {height} pixels"
        )
        remedy = "use the images of 1600 x 1200, or copies that are scaled and not cropped"
        raise DataError(place, text, remedy)
    if chosen is stored and not all(size == CALIBRATED for size in stored.values()):
        notes.append("the projections are for the images as they are, not for 1600 x 1200")
    return {n: (size, chosen is calibrated) for n, size in chosen.items()}


def _is_copy(size: tuple[int, int]) -> bool:
    """Return True for the aspect ratio of the calibrated images, up to a pixel."""
    width, height = CALIBRATED
    return abs(size[0] * height - size[1] * width) <= max(CALIBRATED)


def _misfit(ratios: Float[np.ndarray, "2"]) -> float:
    """Return how far the principal point is from the middle; infinite for one beyond the edge."""
    return float(np.abs(np.log(ratios)).sum()) if (ratios > 0).all() else float("inf")
