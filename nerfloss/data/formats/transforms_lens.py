"""The camera model and the distortion of one frame of a transforms file."""

from collections.abc import Mapping
from pathlib import Path

from nerfloss.data.errors import DataError
from nerfloss.data.formats.json_values import Values, as_number, number, shown, text

# The coefficients that each model may have, and their names in `nerfloss.kernels.lens`.
PERSPECTIVE = {"k1": "k1", "k2": "k2", "k3": "k3", "p1": "p1", "p2": "p2"}
DENOMINATOR = {"k4": "d1", "k5": "d2", "k6": "d3"}
FISHEYE = {"k1": "k1", "k2": "k2", "k3": "k3", "k4": "k4"}
PRISM = {"p1": "p1", "p2": "p2", "sx1": "s1", "sy1": "s2"}
MODEL_COEFFICIENTS: Mapping[str, Mapping[str, str]] = {
    "SIMPLE_PINHOLE": {},
    "PINHOLE": {},
    "PERSPECTIVE": PERSPECTIVE,
    "SIMPLE_RADIAL": {"k1": "k1"},
    "RADIAL": {"k1": "k1", "k2": "k2"},
    "OPENCV": PERSPECTIVE,
    "FULL_OPENCV": {**PERSPECTIVE, **DENOMINATOR},
    "FISHEYE": FISHEYE,
    "OPENCV_FISHEYE": FISHEYE,
    "SIMPLE_RADIAL_FISHEYE": {"k1": "k1"},
    "RADIAL_FISHEYE": {"k1": "k1", "k2": "k2"},
    "THIN_PRISM_FISHEYE": {**FISHEYE, **PRISM},
    "EQUIRECTANGULAR": {},
}
MODEL_KEYS = ("camera_model", "is_fisheye", "latlong", "equirectangular", "ftheta_p0")
COEFFICIENTS = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2", "sx1", "sy1")
# The power of the radius that a coefficient multiplies.
POWERS = {"k1": 2, "k2": 4, "k3": 6, "k4": 8, "d1": 2, "d2": 4, "d3": 6}
SUPPORTED = "undistort the images, or use one of " + ", ".join(MODEL_COEFFICIENTS)


def model_of(values: Values, path: Path, where: str) -> str:
    """Return the camera model of a frame, a key of `MODEL_COEFFICIENTS`.

    Without ``camera_model`` it is OPENCV, OPENCV_FISHEYE (``is_fisheye``) or EQUIRECTANGULAR
    (instant-ngp's ``latlong``). Raises DataError for other models, and for two that contradict.
    """
    name = text(values, "camera_model", path, where)
    if values.get("ftheta_p0") is not None:
        raise DataError(path, f"{where} has an f-theta lens (ftheta_p0)", SUPPORTED)
    if values.get("equirectangular"):
        found = f"{where} has instant-ngp's equirectangular lens, a projection of equal areas"
        raise DataError(path, found, "give images with latlong, whose rows are latitudes")
    if name is None:
        fisheye = "OPENCV_FISHEYE" if values.get("is_fisheye") else "OPENCV"
        return "EQUIRECTANGULAR" if values.get("latlong") else fisheye
    model = name.strip().upper()
    if model not in MODEL_COEFFICIENTS:
        raise DataError(path, f"camera_model {name!r} of {where} is not supported", SUPPORTED)
    contradicts = [
        ("is_fisheye", bool(values.get("is_fisheye")) and "FISHEYE" not in model),
        ("latlong", bool(values.get("latlong")) and model != "EQUIRECTANGULAR"),
    ]
    for key, wrong in contradicts:
        if wrong:
            found = f"{where} has camera_model {name} and {key}={shown(values[key])}"
            raise DataError(path, found, "remove the wrong one")
    return model


def lens_parameters(
    values: Values, model: str, corner: float, path: Path, where: str
) -> dict[str, float]:
    """Return the coefficients of the lens, by their names in `nerfloss.kernels.lens`.

    ``corner`` is the normalised radius of the farthest corner of the image. Raises DataError for a
    coefficient that the model does not have, and for one that no lens has.
    """
    allowed, lens = MODEL_COEFFICIENTS[model], {}
    for key, value in _coefficients(values, path, where).items():
        if key in allowed:
            lens[allowed[key]] = value
        elif value != 0.0:
            raise DataError(path, f"{key}={value:g} of {where}, a {model} camera", _remedy(key))
    reach = min(corner, 3.2) if "FISHEYE" in model else corner
    for name, value in lens.items():
        bend = abs(value) * reach ** POWERS.get(name, 1)
        if bend > 50:
            found = f"the coefficient {value:g} of {where} bends the corner {bend:.3g}-fold"
            raise DataError(path, found, "repair k1 to k6, p1 and p2, or fl_x")
    return lens


def _coefficients(values: Values, path: Path, where: str) -> dict[str, float]:
    """Return the coefficients that are stated, by their keys."""
    found = {}
    for key in COEFFICIENTS:
        value = number(values, key, path, where)
        if value is not None:
            found[key] = value
    listed = values.get("distortion_params")
    if listed is None:
        return found
    numbers = [as_number(each) for each in listed] if isinstance(listed, list) else []
    if len(numbers) != 6 or None in numbers:
        raise DataError(
            path,
            f"distortion_params of {where} is {shown(listed)}",
            "give the six numbers k1, k2, k3, k4, p1, p2",
        )
    named = zip(("k1", "k2", "k3", "k4", "p1", "p2"), numbers, strict=True)
    listed_values = {key: value for key, value in named if value is not None}
    if any(found.get(key, value) != value for key, value in listed_values.items()):
        found_text = f"distortion_params of {where} differs from its k1 to p2"
        raise DataError(path, found_text, "remove the wrong one")
    return {**found, **listed_values}


def _remedy(key: str) -> str:
    if key == "k4":
        return (
            "its meaning differs between programs (r^8, or a denominator): use FULL_OPENCV with "
            "k4 to k6, calibrate without k4, or undistort the images"
        )
    return "remove the coefficient, or give the camera_model that has it"
