"""Intrinsics after a change of focal length: which views share one, and the changed cameras."""

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerfloss.data.cameras.camera import MODELS, Camera
from nerfloss.data.cameras.cameras import Cameras
from nerfloss.kernels.lens import COLUMNS, PERSPECTIVE

Sharing = Literal["fixed", "per_camera", "per_view"]

# By which power of the factor each coefficient of a perspective lens is multiplied. Offsets from
# the axis shrink by the factor, and a coefficient belongs to an even power of their length or, p1
# and p2, to a product of two of them, beside the length that the focal length carries.
POWERS = {"k1": 2, "k2": 4, "k3": 6, "d1": 2, "d2": 4, "d3": 6, "p1": 1, "p2": 1}


def camera_groups(
    cameras: Cameras, sharing: Sharing, setting: str = "focal"
) -> Int[Tensor, "views"]:
    """Return the number of the correction of each view.

    With ``per_camera`` views share one that have the same intrinsics and lens. Raises ValueError,
    with the ``setting``, for lenses that cannot be corrected.
    """
    if sharing != "fixed" and cameras.lens is not None:
        others = cameras.lens[:, 0] != PERSPECTIVE
        if bool(others.any()):
            raise ValueError(
                f"cameras.{setting}={sharing}: {int(others.sum())} of {len(cameras)} training "
                "views have a fisheye or equirectangular lens, which cannot be refined: use "
                f"cameras.{setting}=fixed"
            )
    if sharing == "per_view":
        return torch.arange(len(cameras))
    if sharing == "fixed":
        return torch.zeros(len(cameras), dtype=torch.int64)
    rows = cameras.intrinsics.reshape(len(cameras), 9).double().cpu()
    if cameras.lens is not None:
        rows = torch.cat([rows, cameras.lens.cpu()], -1)
    return rows.unique(dim=0, return_inverse=True)[1]


def refocused(cameras: Cameras, factors: Float[Tensor, "views"]) -> Cameras:
    """Return cameras with focal lengths times ``factors``.

    Distortion is that of the same undistorted offsets, so its coefficients change, too.
    """
    intrinsics = cameras.intrinsics.clone()
    intrinsics[:, 0, 0] *= factors
    intrinsics[:, 1, 1] *= factors
    if cameras.lens is None:
        return replace(cameras, intrinsics=intrinsics)
    lens, factors = cameras.lens.clone(), factors.to(cameras.lens)
    for name, power in {"fx": 1, "fy": 1, **POWERS}.items():
        lens[:, COLUMNS.index(name)] *= factors**power
    lens[:, COLUMNS.index("q_max")] /= factors**2
    return replace(cameras, intrinsics=intrinsics, lens=lens)


def refocused_camera(camera: Camera, factor: float) -> Camera:
    """Return a perspective camera with its focal lengths times ``factor``, as `refocused` does."""
    if factor == 1.0:
        return camera
    powers = {"f": 1, "fx": 1, "fy": 1, **POWERS}
    named = zip(MODELS[camera.model].parameters, camera.params, strict=True)
    return replace(
        camera, params=tuple(float(value) * factor ** powers.get(n, 0) for n, value in named)
    )
