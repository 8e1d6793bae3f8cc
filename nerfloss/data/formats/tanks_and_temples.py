"""Scenes of Tanks and Temples: images, a COLMAP model or a trajectory, and reference geometry.

Written from the description of the benchmark and its tools, and tested on small folders of this
layout that the tests write. Reference: Knapitsch et al., Tanks and Temples, SIGGRAPH 2017.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats import colmap
from nerfloss.data.formats.colmap_images import frame_names, image_folder
from nerfloss.data.formats.colmap_masks import image_masks
from nerfloss.data.formats.crop_volume import ball_about, read_crop_corners, read_similarity
from nerfloss.data.formats.image_pairs import list_images
from nerfloss.data.formats.image_paths import is_file, is_folder
from nerfloss.data.formats.json_values import some
from nerfloss.data.formats.parsed_scene import Frame, ParsedScene, ParseSettings
from nerfloss.data.formats.trajectory_log import TrajectoryPose, read_trajectory
from nerfloss.data.image_headers import read_header
from nerfloss.data.reference_files import ReferenceFiles

CONTENT = "a scene of Tanks and Temples (a folder with images/ and <scene>_COLMAP_SfM.log)"
LOG, TRANSFORM = "_COLMAP_SfM.log", "_trans.txt"
FOCAL = 0.7  # widths of the image
# Camera centres of one reconstruction differ by less than this, over their spread.
SAME = 1e-3


def detect(folder: Path) -> bool:
    """Return True if the folder has a trajectory of the benchmark, or its alignment."""
    return bool(_scene_names(folder))


def parse(folder: Path, settings: ParseSettings) -> ParsedScene:
    """Read a scene; cameras come from a COLMAP model where there is one, else from the trajectory.

    The trajectory has no intrinsics: both focal lengths are 0.7 of the width and the principal
    point is the centre, as the benchmark suggests for a start. ``reference`` has the files of the
    evaluation, and ``to_reference`` where it holds for the poses. ``region`` is the ball about the
    crop volume. Raises DataError for missing or contradictory files.
    """
    names = _scene_names(folder)
    if len(names) > 1 and folder.resolve().name in names:
        names = [folder.resolve().name]
    if len(names) != 1:
        found = f"files of several scenes: {some(names)}" if names else f"no <scene>{LOG}"
        raise DataError(folder, found, f"dataset.path must be {CONTENT}")
    files = _reference(folder, names[0])
    poses = None if files.trajectory is None else read_trajectory(files.trajectory)
    if colmap.detect(folder):
        parsed = colmap.parse(folder, settings)
        same, note = _same_coordinates(parsed, files, poses)
        parsed = replace(parsed, layout="tanks_and_temples", notes=(*parsed.notes, note))
    elif files.trajectory is not None and poses is not None:
        parsed, same = _of_trajectory(folder, files.trajectory, poses, settings), True
    else:
        found = f"no COLMAP model, and no {names[0]}{LOG}"
        raise DataError(folder, found, f"dataset.path must be {CONTENT}")
    if same and files.alignment is not None:
        files = replace(files, to_reference=read_similarity(files.alignment))
    return _with_region(replace(parsed, reference=files), settings)


def _scene_names(folder: Path) -> list[str]:
    """Return the names of the scenes whose files lie in a folder."""
    if not is_folder(folder):
        return []
    names = {path.name.removesuffix(LOG) for path in folder.glob(f"*{LOG}")}
    for path in folder.glob(f"*{TRANSFORM}"):
        name = path.name.removesuffix(TRANSFORM)
        if any(is_file(folder / f"{name}{ending}") for ending in (".json", ".ply")):
            names.add(name)
    return sorted(names)


def _reference(folder: Path, scene: str) -> ReferenceFiles:
    def there(ending: str) -> Path | None:
        path = folder / f"{scene}{ending}"
        return path if is_file(path) else None

    return ReferenceFiles(
        points=there(".ply"),
        crop=there(".json"),
        alignment=there(TRANSFORM),
        trajectory=there(LOG),
    )


def _of_trajectory(
    folder: Path, path: Path, poses: list[TrajectoryPose], settings: ParseSettings
) -> ParsedScene:
    """Return the scene whose images, in the order of their names as text, have these poses."""
    notes: list[str] = []
    own = [image.name for image in list_images(folder)]
    # Copies of another size would have another focal length, unless it is known at full size.
    root = image_folder(folder, path, own, replace(settings, downscale=1), notes)
    images = sorted(list_images(root), key=lambda image: image.name)
    if len(images) != len(poses):
        found = f"poses of {len(poses)} images, but {root} has {len(images)}"
        raise DataError(path, found, "restore the images, and remove those without an entry")
    lost = [images[each.index].name for each in poses if each.pose is None]
    if lost and (settings.missing != "skip" or len(lost) == len(images)):
        found = f"{len(lost)} of {len(images)} images have no pose: {some(lost)}"
        raise DataError(path, found, "set dataset.missing=skip to leave them out")
    if lost:
        notes.append(f"{len(lost)} of {len(images)} images have no pose, left out: {some(lost)}")
    notes.append(
        f"no COLMAP model: the focal length is taken as {FOCAL} of the width, the benchmark's "
        "first guess (its calibrated images have about 0.6), and the principal point as the "
        "centre; a COLMAP model in sparse/0 replaces both"
    )
    names = [images[each.index].name for each in poses if each.pose is not None]
    masks, label = image_masks(root, names, settings, notes), frame_names(names)
    frames = []
    for each in poses:
        image = images[each.index]
        if each.pose is not None:
            camera, mask = _camera(image), masks.get(image.name)
            name = label[image.name]
            frames.append(Frame(name, image, camera, each.pose, False, object_mask=mask))
    return ParsedScene(folder, "tanks_and_temples", tuple(frames), notes=tuple(notes))


def _camera(image: Path) -> Camera:
    header = read_header(image)
    width, height = header.width, header.height
    return Camera("SIMPLE_PINHOLE", width, height, (FOCAL * width, width / 2, height / 2))


def _same_coordinates(
    parsed: ParsedScene, files: ReferenceFiles, poses: list[TrajectoryPose] | None
) -> tuple[bool, str]:
    """Return whether the alignment holds for the poses of the COLMAP model, and a note on it."""
    if files.trajectory is None or poses is None:
        name = "nothing" if files.alignment is None else files.alignment.name
        return True, f"no trajectory: {name} is taken to hold for the COLMAP model"
    root = parsed.frames[0].image.parent
    order = {path: index for index, path in enumerate(sorted(list_images(root), key=_by_name))}
    known = {each.index: each.pose for each in poses if each.pose is not None}
    pairs = [
        (frame.pose[:, 3], known[order[frame.image]][:, 3])
        for frame in parsed.frames
        if order.get(frame.image) in known
    ]
    name = files.trajectory.name
    if len(order) != len(poses) or len(pairs) < 2:
        return False, f"{name} is of other images: its alignment is not used for the COLMAP model"
    one, other = (np.array(each) for each in zip(*pairs, strict=True))
    if np.abs(one - other).max() <= SAME * np.ptp(other, axis=0).max():
        return True, f"the COLMAP model has the coordinates of {name}"
    return False, f"the COLMAP model has other coordinates than {name}: no alignment is known"


def _by_name(path: Path) -> str:
    return path.name


def _with_region(parsed: ParsedScene, settings: ParseSettings) -> ParsedScene:
    """Return the scene with its region and notes on the reference geometry."""
    files = parsed.reference
    assert files is not None
    region, notes = _region(files, settings)
    listed = ", ".join(path.name for path in files.files)
    notes.append(f"files of the evaluation: {listed}")
    return replace(parsed, region=region, notes=(*parsed.notes, *notes))


def _region(
    files: ReferenceFiles, settings: ParseSettings
) -> tuple[Float[np.ndarray, "4 4"] | None, list[str]]:
    if (radius := settings.scene_radius) is not None:
        return np.diag([radius, radius, radius, 1.0]), []
    if files.crop is None:
        return None, []
    corners = read_crop_corners(files.crop)
    if files.to_reference is None:
        return None, [f"{files.crop.name} is in the scanner's coordinates: not used as the region"]
    return ball_about(corners, files.to_reference), [
        f"the region is the ball about the crop volume {files.crop.name}"
    ]
