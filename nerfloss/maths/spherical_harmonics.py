"""Real spherical harmonics: an encoding of view directions."""

import torch
from jaxtyping import Float
from torch import Tensor


def spherical_harmonics(directions: Float[Tensor, "*rays 3"]) -> Float[Tensor, "*rays 16"]:
    """Return the 16 real spherical harmonics up to degree 3, orthonormal on the sphere.

    Reference: Sloan, "Efficient Spherical Harmonic Evaluation", JCGT 2013, appendix A2.
    """
    # One contiguous row per component, so that memory is read and written in order.
    x, y, z = directions.movedim(-1, 0).contiguous()
    xx, yy, zz = x * x, y * y, z * z
    return torch.stack(
        [
            torch.full_like(x, 0.28209479177387814),
            -0.48860251190291987 * y,
            0.48860251190291987 * z,
            -0.48860251190291987 * x,
            1.0925484305920792 * x * y,
            -1.0925484305920792 * y * z,
            0.94617469575755997 * zz - 0.31539156525251999,
            -1.0925484305920792 * x * z,
            0.54627421529603959 * (xx - yy),
            -0.59004358992664352 * y * (3 * xx - yy),
            2.8906114426405538 * x * y * z,
            0.45704579946446572 * y * (1 - 5 * zz),
            0.3731763325901154 * z * (5 * zz - 3),
            0.45704579946446572 * x * (1 - 5 * zz),
            1.4453057213202769 * z * (xx - yy),
            -0.59004358992664352 * x * (xx - 3 * yy),
        ]
    ).movedim(0, -1)
