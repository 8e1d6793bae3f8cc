"""One camera: COLMAP's model name and parameters, for an image of one size."""

import math
from dataclasses import dataclass, replace

from nerfloss.kernels.lens import (
    COEFFICIENTS,
    EQUIRECTANGULAR,
    FISHEYE,
    PERSPECTIVE,
    invertible_radius,
)


@dataclass(frozen=True)
class CameraModel:
    """A camera model: its projection and the names of its parameters, in COLMAP's order.

    ``f`` is both focal lengths, ``k`` the same as ``k1``. Reference: COLMAP, sensor/models.h.
    """

    projection: int
    parameters: tuple[str, ...]


MODELS = {
    "SIMPLE_PINHOLE": CameraModel(PERSPECTIVE, ("f", "cx", "cy")),
    "PINHOLE": CameraModel(PERSPECTIVE, ("fx", "fy", "cx", "cy")),
    "SIMPLE_RADIAL": CameraModel(PERSPECTIVE, ("f", "cx", "cy", "k1")),
    "RADIAL": CameraModel(PERSPECTIVE, ("f", "cx", "cy", "k1", "k2")),
    "OPENCV": CameraModel(PERSPECTIVE, ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2")),
    "FULL_OPENCV": CameraModel(
        PERSPECTIVE,
        ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "d1", "d2", "d3"),
    ),
    "OPENCV_FISHEYE": CameraModel(FISHEYE, ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4")),
    "SIMPLE_RADIAL_FISHEYE": CameraModel(FISHEYE, ("f", "cx", "cy", "k1")),
    "RADIAL_FISHEYE": CameraModel(FISHEYE, ("f", "cx", "cy", "k1", "k2")),
    "THIN_PRISM_FISHEYE": CameraModel(
        FISHEYE,
        ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "s1", "s2"),
    ),
    "EQUIRECTANGULAR": CameraModel(EQUIRECTANGULAR, ()),
}


@dataclass(frozen=True)
class Camera:
    """The camera of one view: ``model`` is a key of `MODELS`, ``params`` are in COLMAP's order.

    Pixels: (0.5, 0.5) is the centre of the first one. Lengths in pixels of an image of ``width`` by
    ``height``. An equirectangular image has no parameters: its columns are 360 degrees of longitude
    and its rows 180 degrees of latitude, with the camera's z axis in the middle.

    Raises ValueError for an unknown model, a wrong number of parameters, or values that no camera
    has.
    """

    model: str
    width: int
    height: int
    params: tuple[float | int, ...] = ()

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f"camera model {self.model!r} is none of {', '.join(MODELS)}")
        names = MODELS[self.model].parameters
        if len(self.params) != len(names):
            wanted = ", ".join(names) or "none"
            raise ValueError(f"{self.model} has {len(self.params)} parameters, not {wanted}")
        if not all(math.isfinite(value) for value in self.params):
            raise ValueError(f"{self.model} has parameters that are not finite: {self.params}")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"the image size is {self.width} x {self.height}")
        if names and min(self.fx, self.fy) <= 0:
            raise ValueError(f"the focal length is {min(self.fx, self.fy):g}, which must be > 0")

    @classmethod
    def pinhole(
        cls,
        width: int,
        height: int,
        fx: float | int,
        fy: float | int,
        cx: float | int,
        cy: float | int,
    ) -> "Camera":
        """Return a camera without distortion."""
        return cls("PINHOLE", width, height, (float(fx), float(fy), float(cx), float(cy)))

    @property
    def projection(self) -> int:
        """PERSPECTIVE, FISHEYE or EQUIRECTANGULAR."""
        return MODELS[self.model].projection

    @property
    def _named(self) -> dict[str, float]:
        params = map(float, self.params)
        return dict(zip(MODELS[self.model].parameters, params, strict=True))

    @property
    def fx(self) -> float:
        """Horizontal focal length in pixels; of an equirectangular image, pixels per radian."""
        if self.projection == EQUIRECTANGULAR:
            return self.width / (2 * math.pi)
        return self._named.get("fx", self._named.get("f", 0.0))

    @property
    def fy(self) -> float:
        """Vertical focal length in pixels; of an equirectangular image, pixels per radian."""
        if self.projection == EQUIRECTANGULAR:
            return self.height / math.pi
        return self._named.get("fy", self._named.get("f", 0.0))

    @property
    def cx(self) -> float:
        """Column of the principal point, in pixels."""
        return self._named.get("cx", self.width / 2)

    @property
    def cy(self) -> float:
        """Row of the principal point, in pixels."""
        return self._named.get("cy", self.height / 2)

    @property
    def lens(self) -> tuple[float, ...]:
        """The coefficients of the lens, in the order of `COEFFICIENTS`; 0 where there is none."""
        return tuple(self._named.get(name, 0.0) for name in COEFFICIENTS)

    @property
    def row(self) -> tuple[float, ...]:
        """The camera as a row of numbers, in the order of `nerfloss.kernels.lens.COLUMNS`."""
        radius = invertible_radius(self.projection, self.lens) if any(self.lens) else math.inf
        if self.projection == FISHEYE:
            radius = min(radius, math.pi**2)
        return (float(self.projection), self.fx, self.fy, self.cx, self.cy, *self.lens, radius)

    @property
    def distorted(self) -> bool:
        """True unless the camera is a pinhole."""
        return self.projection != PERSPECTIVE or any(self.lens)

    def resized(self, width: int, height: int) -> "Camera":
        """Return the camera of the same image, resampled to another size.

        Each axis is scaled by its own ratio: resampling rounds them differently. A model with one
        focal length becomes the one with two if the ratios differ.
        """
        across, down = width / self.width, height / self.height
        if self.projection == EQUIRECTANGULAR:
            return replace(self, width=width, height=height)
        scaled = {"f": across, "fx": across, "fy": down, "cx": across, "cy": down}
        camera = self if across == down else self._with_two_focal_lengths()
        names = MODELS[camera.model].parameters
        params = [value * scaled.get(n, 1.0) for n, value in zip(names, camera.params, strict=True)]
        return Camera(camera.model, width, height, tuple(params))

    def _with_two_focal_lengths(self) -> "Camera":
        general = {
            "SIMPLE_PINHOLE": "PINHOLE",
            "SIMPLE_RADIAL": "OPENCV",
            "RADIAL": "OPENCV",
            "SIMPLE_RADIAL_FISHEYE": "OPENCV_FISHEYE",
            "RADIAL_FISHEYE": "OPENCV_FISHEYE",
        }.get(self.model, self.model)
        known = {**self._named, "fx": self.fx, "fy": self.fy}
        params = tuple(known.get(name, 0.0) for name in MODELS[general].parameters)
        return replace(self, model=general, params=params)
