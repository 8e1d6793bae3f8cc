"""The camera of one frame of a transforms file: focal lengths, principal point and lens.

Keys are those of nerfstudio and instant-ngp: ``fl_x fl_y cx cy w h`` in pixels, ``camera_angle_x``
and ``camera_angle_y`` in radians, ``x_fov`` and ``y_fov`` in degrees, ``k1`` to ``k6``, ``p1``,
``p2``, ``camera_model``, ``is_fisheye``.

Reference: nerfstudio, docs "Data conventions"; instant-ngp, src/nerf_loader.cu.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nerfloss.data.cameras.camera import MODELS, Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats.json_values import Values, number, text, whole_number
from nerfloss.data.formats.remarks import Remarks
from nerfloss.data.formats.transforms_lens import (
    COEFFICIENTS,
    MODEL_KEYS,
    lens_parameters,
    model_of,
)

FOCAL = {axis: (f"fl_{axis}", f"camera_angle_{axis}", f"{axis}_fov") for axis in "xy"}
LENS_KEYS = frozenset({*COEFFICIENTS, "distortion_params", "rolling_shutter", *MODEL_KEYS})
KEYS = LENS_KEYS | {"w", "h", "cx", "cy"} | {key for keys in FOCAL.values() for key in keys}
REMEDY = "give fl_x and fl_y in pixels, or camera_angle_x in radians"


def camera_values(shared: Values, frame: Values) -> dict[str, Any]:
    """Return the camera's keys of one frame: its own, then those of the whole file.

    A focal length of the frame also replaces a field of view of the file, on the same axis.
    """
    values = {key: shared[key] for key in KEYS if key in shared}
    for keys in FOCAL.values():
        if any(key in frame for key in keys):
            for key in keys:
                values.pop(key, None)
    if any(key in frame for key in FOCAL["x"]) and not any(key in frame for key in FOCAL["y"]):
        if "fl_y" in values and "fl_x" not in frame:
            del values["fl_y"]
        for key in FOCAL["y"][1:]:
            values.pop(key, None)
    values.update({key: frame[key] for key in KEYS if key in frame})
    return values


def stated_size(values: Values, path: Path, where: str) -> tuple[int, int] | None:
    """Return the ``w`` and ``h`` of a frame, None if neither is stated."""
    width = whole_number(values, "w", path, where)
    height = whole_number(values, "h", path, where)
    if (width is None) != (height is None):
        raise DataError(path, f"{where} has only one of w and h", "give both, or neither")
    return None if width is None or height is None else (width, height)


def read_camera(
    values: Values, size: tuple[int, int], path: Path, where: str, remarks: Remarks
) -> Camera:
    """Return the camera of one frame for an image of ``size`` (width, height).

    Raises DataError for values that no camera has, for those that contradict one another, and for
    camera models that are not supported.
    """
    model = model_of(values, path, where)
    if values.get("rolling_shutter") not in (None, [0.0] * 4):
        remarks.add("rolling_shutter is not used: all rows count as seen at once", where)
    if model == "EQUIRECTANGULAR":
        _check_full_sphere(values, size, path, where)
        return Camera(model, *size)
    fx, fy = _focal_lengths(values, size, model, path, where, remarks)
    cx, cy = _principal_point(values, size, path, where, remarks)
    corner = math.hypot(max(cx, size[0] - cx) / fx, max(cy, size[1] - cy) / fy)
    lens = lens_parameters(values, model, corner, path, where)
    general = _general_model(model, lens)
    known = {"fx": fx, "fy": fy, "cx": cx, "cy": cy, **lens}
    params = tuple(known.get(name, 0.0) for name in MODELS[general].parameters)
    try:
        return Camera(general, *size, params)
    except ValueError as error:
        raise DataError(path, f"{where}: {error}", "repair the intrinsics") from error


def _general_model(model: str, lens: Mapping[str, float]) -> str:
    """Return the model of `MODELS` that has these coefficients and two focal lengths."""
    if model == "THIN_PRISM_FISHEYE":
        return model
    if "FISHEYE" in model:
        return "OPENCV_FISHEYE"
    if not any(lens.values()):
        return "PINHOLE"
    return "FULL_OPENCV" if any(lens.get(key) for key in ("k3", "d1", "d2", "d3")) else "OPENCV"


def _focal_lengths(
    values: Values,
    size: tuple[int, int],
    model: str,
    path: Path,
    where: str,
    remarks: Remarks,
) -> tuple[float, float]:
    fisheye = "FISHEYE" in model
    found = [
        _focal_length(values, axis, pixels, fisheye, path, where, remarks)
        for axis, pixels in zip("xy", size, strict=True)
    ]
    across, down = found
    if across is None and down is None:
        raise DataError(path, f"{where} has no focal length", REMEDY)
    if across is None or down is None:
        one = across if across is not None else down
        assert one is not None
        if "fl_x" in values or "fl_y" in values:
            remarks.add("one focal length is stated: taken for both axes", where)
        return one, one
    if not 0.2 <= down / across <= 5:
        found = f"the focal lengths of {where} are {across:g} and {down:g} pixels"
        raise DataError(path, found, "repair fl_x or fl_y: pixels are about square")
    if not 0.8 <= down / across <= 1.25:
        remarks.add(f"fl_x={across:g} and fl_y={down:g} differ: pixels that are not square", where)
    return across, down


def _focal_length(
    values: Values,
    axis: str,
    pixels: int,
    fisheye: bool,
    path: Path,
    where: str,
    remarks: Remarks,
) -> float | None:
    """Return the focal length of one axis in pixels; fl_x before camera_angle_x before x_fov."""
    pixel_key, angle_key, degree_key = FOCAL[axis]
    focal = number(values, pixel_key, path, where)
    if focal is not None and not 1e-2 <= focal / pixels <= 1e4:
        found = f"{pixel_key}={focal:g} of {where}, in an image of {pixels} pixels"
        raise DataError(path, found, "give the focal length in pixels")
    angles = [(angle_key, 1.0), (degree_key, math.pi / 180)]
    for key, unit in angles:
        angle = number(values, key, path, where)
        if angle is None:
            continue
        if not 1e-4 < angle * unit < math.pi * (1 - 1e-4):
            names = "radians" if unit == 1.0 else "degrees"
            raise DataError(path, f"{key}={angle:g} of {where}", f"give it in {names}, below pi")
        from_angle = 0.5 * pixels / math.tan(0.5 * angle * unit)
        if focal is None:
            if fisheye:
                found = f"{where} is a fisheye camera with {key}, without {pixel_key}"
                raise DataError(path, found, f"give {pixel_key} in pixels")
            focal = from_angle
        elif not fisheye:
            _compare(pixel_key, focal, key, from_angle, path, where, remarks)
    return focal


def _compare(
    pixel_key: str,
    focal: float,
    key: str,
    from_angle: float,
    path: Path,
    where: str,
    remarks: Remarks,
) -> None:
    """Say that a focal length and a field of view differ by 1 %, refuse more than a factor of 2."""
    ratio = from_angle / focal
    if not 0.5 <= ratio <= 2:
        found = f"{pixel_key}={focal:g} of {where}, but {key} means {from_angle:g} pixels"
        remedy = f"remove the wrong one; w and h must be the size that {pixel_key} is for"
        raise DataError(path, found, remedy)
    if abs(ratio - 1) > 0.01:
        differ = f"{key} means {from_angle:g} pixels, {pixel_key} is {focal:g}"
        remarks.add(f"{differ}: {pixel_key} is used", where)


def _principal_point(
    values: Values, size: tuple[int, int], path: Path, where: str, remarks: Remarks
) -> tuple[float, float]:
    points = []
    for key, pixels in zip(("cx", "cy"), size, strict=True):
        value = number(values, key, path, where)
        if value is None:
            if "fl_x" in values or "fl_y" in values:
                remarks.add(f"{key} is not stated: the centre of the image", where)
            value = pixels / 2
        if not -pixels <= value <= 2 * pixels or (0 < value <= 1 < pixels / 8):
            found = f"{key}={value:g} of {where}, in an image of {pixels} pixels"
            raise DataError(path, found, "give the principal point in pixels of w and h")
        if not 0 <= value <= pixels:
            remarks.add(f"{key}={value:g} lies outside of the image", where)
        points.append(value)
    return points[0], points[1]


def _check_full_sphere(values: Values, size: tuple[int, int], path: Path, where: str) -> None:
    """Refuse an equirectangular image of less than 360 by 180 degrees."""
    width, height = size
    full = {"fl_x": width / 2, "fl_y": height, "cx": width / 2, "cy": height / 2}
    for key, expected in full.items():
        value = number(values, key, path, where)
        if value is not None and abs(value - expected) > max(1.0, 0.01 * expected):
            found = f"{key}={value:g} of {where}, where a full sphere has {expected:g}"
            remedy = "give equirectangular images of 360 by 180 degrees, without cropping"
            raise DataError(path, found, remedy)
    if text(values, "camera_model", path, where) is None:
        return
    if not 1.8 <= width / height <= 2.2:
        found = f"the equirectangular image of {where} has {width} x {height} pixels"
        raise DataError(path, found, "it needs to be twice as wide as high")
