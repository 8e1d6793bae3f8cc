"""Rows of the table on cameras: image sizes, models, focal lengths, fields of view, distortion."""

import math
from collections import Counter

import numpy as np
from jaxtyping import Float

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.inspection.inspection import Row, of_all
from nerfloss.data.posed_cameras import PosedCameras
from nerfloss.kernels.lens import COEFFICIENTS, PERSPECTIVE


def camera_rows(posed: PosedCameras) -> list[Row]:
    """Return the rows on image sizes, camera models with field of view, and distortion."""
    sizes = Counter((camera.width, camera.height) for camera in posed.cameras)
    texts = [f"{w} x {h}" + (f" ({n})" if len(sizes) > 1 else "") for (w, h), n in sizes.items()]
    models = Counter(camera.model for camera in posed.cameras)
    lines = [f"{n} {model}: {_focal(posed, model)}" for model, n in models.items()]
    return [
        Row("image sizes", ", ".join(texts[:4]) + (" ..." if len(texts) > 4 else "")),
        *(Row("camera model", line) for line in lines),
        Row("distortion", _distortion(posed)),
    ]


def field_of_view(camera: Camera) -> tuple[float, float]:
    """Return the horizontal and vertical field of view in degrees, distortion not included."""
    across, down = camera.width / camera.fx, camera.height / camera.fy
    if camera.projection != PERSPECTIVE:
        return math.degrees(across), math.degrees(down)
    return math.degrees(2 * math.atan(across / 2)), math.degrees(2 * math.atan(down / 2))


def _focal(posed: PosedCameras, model: str) -> str:
    cameras = [camera for camera in posed.cameras if camera.model == model]
    if model == "EQUIRECTANGULAR":
        return "360 x 180 degrees"
    lengths = [_range([c.fx for c in cameras]), _range([c.fy for c in cameras])]
    views = np.array([field_of_view(camera) for camera in cameras])
    across, down = (_range(list(values)) for values in views.T)
    return f"focal length {lengths[0]} x {lengths[1]} px, {across} x {down} degrees"


def _range(values: list[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.4g}" if high - low <= 1e-4 * high else f"{low:.4g} to {high:.4g}"


def _distortion(posed: PosedCameras) -> str:
    lenses = np.array([camera.lens for camera in posed.cameras])
    used = [i for i in range(lenses.shape[1]) if lenses[:, i].any()]
    if not used:
        fisheye = any(camera.projection != PERSPECTIVE for camera in posed.cameras)
        return "none beside the projection itself" if fisheye else "none"
    names = [f"{COEFFICIENTS[i]} {_signed_range(lenses[:, i])}" for i in used]
    count = int(lenses.any(1).sum())
    return f"{', '.join(names)} in {of_all(count, len(lenses))}"


def _signed_range(values: Float[np.ndarray, "views"]) -> str:
    low, high = values.min(), values.max()
    return f"{low:.3g}" if high - low <= 1e-4 * abs(high) else f"{low:.3g} to {high:.3g}"
