"""What a reader of a layout finds: posed images, sparse points, and what it assumed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.reference_files import ReferenceFiles


@dataclass(frozen=True)
class Frame:
    """One posed image, with the files that belong to it.

    ``name`` is unique: the path of the image relative to the folder of the images, without the
    file ending. ``camera`` holds for the image size that the files state, which may differ from
    that of the image file; where they state none (``states_size`` is False) it holds for the size
    in the image's header. ``pose`` is camera-to-world, in OpenCV axes (x right, y down, z forward)
    and the coordinates of the files.

    ``object_mask`` shows the object (non-zero or white), ``ignore_mask`` the pixels that count
    (non-zero) and those that do not (0), as in nerfstudio. Where ``object_mask`` is None, an alpha
    channel of the image is the object mask. ``depth`` and ``normal`` are maps in
    `ParsedScene.depth` and `ParsedScene.normal`'s conventions; ``depth_confidence`` holds how
    certain the depths are, 0 to 1, and may be the file of the depths. ``relative_depth`` and
    ``disparity`` are estimated along the optical axis, up to a scale and a shift; 0 is unknown.
    """

    name: str
    image: Path
    camera: Camera
    pose: Float[np.ndarray, "3 4"]
    states_size: bool = True
    object_mask: Path | None = None
    ignore_mask: Path | None = None
    depth: Path | None = None
    normal: Path | None = None
    depth_confidence: Path | None = None
    relative_depth: Path | None = None
    disparity: Path | None = None


@dataclass(frozen=True)
class ParsedPoints:
    """Sparse points in the coordinates of the files.

    ``observations`` are pairs (index of the frame in `ParsedScene.frames`, index of the point): who
    sees what; None if unknown. ``error`` is the reprojection error in pixels, None if unknown.
    ``pixels`` are the observed pixels (column, row) of the observations, in pixels of the frame's
    ``camera``; None if unknown.
    """

    positions: Float[np.ndarray, "points 3"]
    colors: Float[np.ndarray, "points 3"] | None = None  # 0 to 1
    normals: Float[np.ndarray, "points 3"] | None = None
    confidence: Float[np.ndarray, "points"] | None = None  # 0 to 1
    error: Float[np.ndarray, "points"] | None = None
    observations: Int[np.ndarray, "observations 2"] | None = None
    pixels: Float[np.ndarray, "observations 2"] | None = None


@dataclass(frozen=True)
class DepthConvention:
    """How depth maps are stored: ``unit`` is the length of 1 in units of the poses.

    ``along`` is ``z`` (of the camera) or ``ray``. Values of 0 and values that are not finite are
    unknown.
    """

    unit: float = 0.001
    along: str = "z"


@dataclass(frozen=True)
class NormalConvention:
    """How normal maps are stored: ``frame`` is ``camera`` (OpenCV axes), ``opengl``, ``world``.

    ``estimated`` ones, by a network, are targets of training and no truth to score against.
    """

    frame: str = "camera"
    estimated: bool = False


@dataclass(frozen=True)
class ParsedScene:
    """Everything that a layout says about a scene; no image has been decoded.

    ``test`` are the indices of the frames that the files hold out, None if they do not say.
    ``region`` is the similarity from the unit ball to the coordinates of the files, where the files
    or the settings state it. ``up`` is the direction that points up, where the files state it.
    ``notes`` are the reader's assumptions, one line each; the log and ``nerfloss inspect`` print
    them. ``to_files`` maps the coordinates of the poses to those of the user's original files,
    where a converter has moved them (nerfstudio's applied_transform); None: they are the same.
    ``reference`` names the files of a benchmark's evaluation.
    """

    folder: Path
    layout: str
    frames: tuple[Frame, ...]
    test: tuple[int, ...] | None = None
    points: ParsedPoints | None = None
    region: Float[np.ndarray, "4 4"] | None = None
    up: Float[np.ndarray, "3"] | None = None
    to_files: Float[np.ndarray, "4 4"] | None = None
    depth: DepthConvention = DepthConvention()
    normal: NormalConvention = NormalConvention()
    hold_out: str = ""  # how the files hold out, for the record
    reference: ReferenceFiles | None = None
    notes: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ParseSettings:
    """What a user may say about the reading of any layout.

    ``downscale`` prefers a folder of smaller copies (images_2, images_4, images_8) where there is
    one. ``images`` names the folder of the images, None: as the layout says. ``missing`` is
    ``refuse`` (all missing files are named) or ``skip`` (counted and said). ``masks`` says if
    object masks are wanted: True (must be there), False, or "auto". ``scene_radius`` is the radius
    of the region of interest about the origin in units of the files, None: the program chooses.
    ``own_split`` is True if the user states the test views: files of test views are not read then.
    ``outside`` permits files outside of the scene's folder.
    """

    downscale: int = 1
    images: str | None = None
    missing: str = "refuse"
    masks: bool | str = "auto"
    scene_radius: float | None = None
    own_split: bool = False
    outside: bool = False
