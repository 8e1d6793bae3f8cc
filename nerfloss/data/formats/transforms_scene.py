"""What a transforms file says about the whole scene: depth, normals, up, unused keys."""

from typing import Any

import numpy as np
from jaxtyping import Float

from nerfloss.data.errors import DataError
from nerfloss.data.formats.json_values import as_number, number, shown, text
from nerfloss.data.formats.parsed_scene import DepthConvention, NormalConvention
from nerfloss.data.formats.remarks import Remarks
from nerfloss.data.formats.transforms import Transforms

# Keys that have an effect in other programs, none here, and what happens instead.
UNUSED = {
    "aabb_scale": "the region is chosen by the program",
    "scale": "the region is chosen by the program",
    "offset": "the region is chosen by the program",
    "aabb": "the region is chosen by the program",
    "render_aabb": "the region is chosen by the program",
    "orientation_override": "the poses stay as they are",
    "white_transparent": "white pixels stay",
    "black_transparent": "black pixels stay",
    "fix_premult": "colours stay as stored",
    "n_frames": "all frames are read",
    "sharpness_discard_threshold": "all frames are read",
}


def describe_keys(transforms: Transforms, remarks: Remarks) -> None:
    """Add a remark for each key of the file that would have an effect in another program."""
    for key, instead in UNUSED.items():
        value = transforms.shared.get(key)
        if value not in (None, False, 0):
            remarks.add(f"{key}={shown(value)} is not used: {instead}")


def up_direction(transforms: Transforms) -> Float[np.ndarray, "3"] | None:
    """Return the unit direction of ``up`` (instant-ngp), None if the file has none."""
    value = transforms.shared.get("up")
    if value is None:
        return None
    numbers = [as_number(each) for each in value] if isinstance(value, list) else []
    known = np.array([each for each in numbers if each is not None])
    if len(numbers) != 3 or len(known) != 3 or not 1e-9 < np.abs(known).max() < 1e9:
        found = f"up is {shown(value)}, not a direction"
        raise DataError(transforms.path, found, "give three numbers, or remove the entry")
    return known / np.linalg.norm(known)


def depth_convention(transforms: Transforms, remarks: Remarks, scale: float) -> DepthConvention:
    """Return how depth maps are stored, in units of the poses.

    ``scale`` is the file's ``applied_scale``: the length of an original unit in units of the poses.
    """
    path, shared = transforms.path, transforms.shared
    keys = ("depth_unit_scale_factor", "integer_depth_scale")
    units = {key: number(shared, key, path, "the file") for key in keys}
    for key, unit in units.items():
        if unit is not None and not 1e-12 < unit < 1e12:
            raise DataError(path, f"{key}={unit:g}", "give the length of a depth of 1, above 0")
    factor, ngp = units.values()
    has_depth = any(
        entry.get(key) for entry in transforms.entries for key in ("depth_file_path", "depth_path")
    )
    if factor is None and ngp is not None:
        # instant-ngp scales depth by this number in units of the poses.
        return DepthConvention(ngp, "z")
    unit = 0.001 if factor is None else factor
    if has_depth and factor is None:
        remarks.add("depth_unit_scale_factor is not stated: 0.001, as in nerfstudio")
    if has_depth:
        remarks.add(f"depth maps: 1 is {unit * scale:g} units of the poses, along z, 0 is unknown")
    return DepthConvention(unit * scale, "z")


def normal_convention(transforms: Transforms, remarks: Remarks) -> NormalConvention:
    """Return how normal maps are stored: ``normal_frame`` of the file, else OpenGL camera axes."""
    frames = ("camera", "opengl", "world")
    frame = text(transforms.shared, "normal_frame", transforms.path, "the file")
    if frame is not None and frame not in frames:
        found = f"normal_frame is {frame!r}"
        raise DataError(transforms.path, found, f"give one of {', '.join(frames)}")
    if frame is None and any(entry.get("normal_file_path") for entry in transforms.entries):
        remarks.add("normal maps: taken as in camera axes of OpenGL (normal_frame is not stated)")
    return NormalConvention(frame or "opengl")


def number_or(transforms: Transforms, key: str, default: Any) -> Any:
    """Return a number of the whole file, ``default`` if it is not there."""
    value = number(transforms.shared, key, transforms.path, "the file")
    return default if value is None else value
