"""The camera path that a user asks for: by a name and the training cameras, or from a file."""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from nerfloss.data.camera_paths.camera_path import CameraPath
from nerfloss.data.camera_paths.interpolation import interpolate, thinned, tour, turn_between
from nerfloss.data.camera_paths.orbit import orbit
from nerfloss.data.camera_paths.path_file import read_dataparser_transforms, read_path
from nerfloss.data.camera_paths.spiral import faces_one_way, spiral
from nerfloss.data.cameras.cameras import Cameras
from nerfloss.data.scene import Scene

NAMES = ("orbit", "spiral", "interpolate")
FPS, SECONDS = 30.0, 4.0
LARGEST = 800  # pixels of the longer side, unless a size is asked for
WIDEST = 90.0  # degrees, of the training cameras' vertical field of view
KEY_SECONDS = 0.5  # between two cameras of an interpolation, at least
WIDE_TURN = 60.0  # degrees between two cameras, from which a curve between them is a guess
FAR = 20.0  # times the distance of the training cameras: another frame of coordinates


@dataclass(frozen=True)
class PathSettings:
    """Settings of a path; None: those of the file, or the defaults.

    ``size`` is (width, height) or the longer side alone; ``frames`` and ``seconds`` exclude each
    other. ``dataparser`` is nerfstudio's dataparser_transforms.json, for a file whose coordinates
    are those of a run of nerfstudio. Raises ValueError for values that no video has.
    """

    size: tuple[int, int] | int | None = None
    fps: float | None = None
    seconds: float | None = None
    frames: int | None = None
    dataparser: Path | None = None

    def __post_init__(self) -> None:
        if self.frames is not None and self.seconds is not None:
            raise ValueError("--frames and --seconds both state the length: give one of them")
        sizes = self.size if isinstance(self.size, tuple) else (self.size,)
        given = {"--fps": self.fps, "--seconds": self.seconds, "--frames": self.frames}
        for name, value in [*given.items(), *(("--size", side) for side in sizes)]:
            if value is not None and not 0 < value < 1e6:
                raise ValueError(f"{name} must be above 0 and below a million, got {value:g}")
        if self.frames == 1:
            raise ValueError("--frames must be at least 2: a path begins and ends")

    def count(self, fps: float) -> int:
        """Return the number of frames of a path that has none of its own; at least 2."""
        return max(2, self.frames or round((self.seconds or SECONDS) * fps))


def choose_path(name: str, scene: Scene, settings: PathSettings) -> CameraPath:
    """Return the path of a name, ``orbit``, ``spiral`` or ``interpolate``, or of a file.

    It is in scene units. Raises DataError for a file that cannot be used, and ValueError for
    settings that do not fit the path.
    """
    if name not in NAMES:
        return _from_file(Path(name).expanduser(), scene, settings)
    if settings.dataparser is not None:
        raise ValueError(f"--dataparser is for a path from a file, not for --path {name}")
    cameras, fps = scene.train.cameras, settings.fps or FPS
    frames, poses = settings.count(fps), cameras.poses.double().cpu().numpy()
    make = {"orbit": _orbit, "spiral": _spiral, "interpolate": _interpolation}[name]
    found, note = make(poses, scene, frames, fps)
    size, size_note = _size(cameras, settings.size)
    fov, fov_note = _field_of_view(cameras)
    notes = tuple(each for each in (note, size_note, fov_note) if each)
    return CameraPath(
        found,
        np.full(frames, fov),
        *size,
        fps,
        closed=name != "interpolate",
        notes=notes,
    )


def _orbit(
    poses: Float[np.ndarray, "views 3 4"], scene: Scene, frames: int, _: float
) -> tuple[Float[np.ndarray, "frames 3 4"], str]:
    made = orbit(poses[:, :, 3], scene.up, frames)
    note = (
        f"orbit at the training cameras' mean elevation, {made.elevation:.1f} degrees, and mean "
        f"distance, {made.distance:.3g} scene units"
    )
    if made.covered < 270:
        note += f"; they cover {made.covered:.0f} of 360 degrees, the rest shows what none saw"
    return made.poses, note


def _spiral(
    poses: Float[np.ndarray, "views 3 4"], scene: Scene, frames: int, _: float
) -> tuple[Float[np.ndarray, "frames 3 4"], str]:
    facing = faces_one_way(poses)
    where = poses[:, :, 3].mean(0) if facing else poses[0, :, 3]
    distance = float(np.linalg.norm(where))
    # The region is the unit ball; a camera inside of it has something close before it.
    near, far = max(distance - 1, 0.1 * distance, 0.05), distance + 1
    around = "the mean pose of the training cameras"
    if not facing:
        around = (
            f"the camera of {scene.train.names[0]}, as the training cameras do not face one way "
            f"(orbit goes around the object)"
        )
    return spiral(poses, near, far, frames), f"spiral around {around}"


def _interpolation(
    poses: Float[np.ndarray, "views 3 4"], scene: Scene, frames: int, fps: float
) -> tuple[Float[np.ndarray, "frames 3 4"], str]:
    if len(poses) < 2:
        raise ValueError(f"--path interpolate needs 2 training cameras, {scene.name} has 1")
    order, changed = tour(poses)
    count = max(2, int(frames / (KEY_SECONDS * fps)))
    keys = thinned(poses[order], count)
    taken = poses[order[keys[:count]]]
    how = "going to the nearest each time" if changed else "in the order of the files"
    note = f"interpolation through {len(taken)} of {len(poses)} training cameras, {how}"
    if count < len(keys):
        enough = _enough_keys(poses[order], len(keys))
        note += f"; --seconds {KEY_SECONDS * enough:g} leads to the last one"
    turn = max(turn_between(a, b) for a, b in pairwise(taken))
    if turn > WIDE_TURN:
        note += f"; neighbours are up to {turn:.0f} degrees apart: it may lead through the object"
    return interpolate(taken, frames), note


def _enough_keys(poses: Float[np.ndarray, "views 3 4"], count: int) -> int:
    """Return a number of keys, at least ``count``, that lead to the last camera."""
    while (needed := len(thinned(poses, count))) > count:
        count = needed
    return count


def _from_file(file: Path, scene: Scene, settings: PathSettings) -> CameraPath:
    path = read_path(file)
    if settings.frames is not None or settings.seconds is not None:
        raise ValueError(
            f"{file} has {len(path)} frames of its own: leave --frames and --seconds away, "
            f"--fps changes the speed"
        )
    if settings.dataparser is not None:
        path = path.mapped(np.linalg.inv(read_dataparser_transforms(settings.dataparser)))
    path = replace(path.mapped(np.linalg.inv(scene.to_world)), fps=settings.fps or path.fps)
    if settings.size is not None:
        longer = max(path.width, path.height)
        size = _scaled((path.width, path.height), settings.size, longer)
        path = replace(path, width=size[0], height=size[1])
    distance = np.linalg.norm(path.poses[:, :, 3], axis=1).min()
    usual = float(scene.train.cameras.poses[:, :, 3].norm(dim=1).max())
    if distance > FAR * max(usual, 1.0):
        note = (
            f"all cameras of the path are over {FAR:g} times as far from the scene as those of "
            f"training: are its coordinates those of the data? (--dataparser for nerfstudio's)"
        )
        path = replace(path, notes=(*path.notes, note))
    return path


def _size(cameras: Cameras, asked: tuple[int, int] | int | None) -> tuple[tuple[int, int], str]:
    """Return width and height: as asked, else those of the training images, at most 800."""
    own = (cameras.width, cameras.height)
    if asked is not None or max(own) <= LARGEST:
        return _scaled(own, asked or max(own), max(own)), ""
    size = _scaled(own, LARGEST, max(own))
    return size, f"frames of {size[0]} x {size[1]}, images are {own[0]} x {own[1]} (--size)"


def _scaled(size: tuple[int, int], asked: tuple[int, int] | int, longer: int) -> tuple[int, int]:
    if isinstance(asked, tuple):
        return asked
    width, height = (max(1, round(side * asked / longer)) for side in size)
    return width, height


def _field_of_view(cameras: Cameras) -> tuple[float, str]:
    """Return the median vertical field of view of the cameras in degrees, at most 90."""
    heights = cameras.all_sizes[:, 1].double()
    focal = cameras.intrinsics[:, 1, 1].double().cpu()
    found = float(torch.rad2deg(2 * torch.atan(heights / (2 * focal))).median())
    if found <= WIDEST:
        return found, ""
    return WIDEST, f"field of view {WIDEST:g} degrees, that of the training cameras is wider"
