"""Priors on refined cameras: corrections stay small."""

from jaxtyping import Float
from torch import Tensor


def camera_prior(camera_twists: Float[Tensor, "views 6"]) -> Float[Tensor, "views"]:
    """Penalize the correction of each pose: ``|w|^2 + |v|^2``, in radians and scene units.

    Holds views that few rays constrain; 0 for cameras as the data states them.

    Reference: Tancik et al., "Nerfstudio", SIGGRAPH 2023, the penalties of its camera optimizer.
    """
    return camera_twists.square().sum(-1)


def focal_prior(camera_log_focal: Float[Tensor, "views"]) -> Float[Tensor, "views"]:
    """Penalize the correction of each focal length: the squared logarithm of its factor.

    Reference: Jeong et al., "Self-Calibrating Neural Radiance Fields", ICCV 2021, for learned
    intrinsics.
    """
    return camera_log_focal.square()


def lens_prior(camera_radial: Float[Tensor, "views 2"]) -> Float[Tensor, "views"]:
    """Penalize the correction of each lens: the squares of its two coefficients, added.

    Reference: Jeong et al., "Self-Calibrating Neural Radiance Fields", ICCV 2021, for learned
    distortion.
    """
    return camera_radial.square().sum(-1)
