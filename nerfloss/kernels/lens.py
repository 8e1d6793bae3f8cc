"""Lens models: pixels to directions in the camera frame and back, one lens per point.

A lens is a row of `COLUMNS` numbers: the projection, the focal lengths and principal point in
pixels, the coefficients of COLMAP's models in one common form, and the squared normalised radius up
to which the model is invertible. With the normalised coordinates ``(a, b)`` of a direction
``(x, y, z)``, which are ``(x, y) / z`` (perspective) or ``(x, y) / r * atan2(r, z)`` with
``r = |(x, y)|`` (fisheye), and ``q = a^2 + b^2``::

    radial = (1 + k1 q + k2 q^2 + k3 q^3 + k4 q^4) / (1 + d1 q + d2 q^2 + d3 q^3)
    a' = a radial + 2 p1 a b + p2 (q + 2 a^2) + s1 q
    b' = b radial + 2 p2 a b + p1 (q + 2 b^2) + s2 q
    column, row = fx a' + cx, fy b' + cy

The inverse is Newton's method in float64. An equirectangular image has ``a`` = longitude and ``b``
= latitude, without distortion.

Reference: COLMAP, sensor/models.h (the models from SIMPLE_PINHOLE to THIN_PRISM_FISHEYE).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from nerfloss.kernels.backend_selection import implementation
from nerfloss.kernels.threads import parallel_for

PERSPECTIVE, FISHEYE, EQUIRECTANGULAR = 0, 1, 2
COEFFICIENTS = ("k1", "k2", "k3", "k4", "d1", "d2", "d3", "p1", "p2", "s1", "s2")
COLUMNS = ("projection", "fx", "fy", "cx", "cy", *COEFFICIENTS, "q_max")
ITERATIONS = 30


def pixel_to_direction(
    pixels: Float[Tensor, "points 2"], lens: Float[Tensor, "points 17"]
) -> Float[Tensor, "points 3"]:
    """Return unit directions (float64) in the camera frame: x right, y down, z forward.

    The forward formula returns the pixels to 1e-6. A pixel that no direction reaches gets the
    direction that comes closest to it.
    """
    pixels, lens = pixels.double(), lens.double()
    if pixels.device.type == "cpu":
        out = torch.empty(len(pixels), 3, dtype=torch.float64)
        loop = implementation("lens", "cpu").pixel_to_direction
        arrays = (pixels.contiguous().numpy(), lens.contiguous().numpy(), out.numpy())
        parallel_for(len(pixels), lambda begin, end: loop(*arrays, begin, end), least=512)
        return out
    return direction_of(undistort((pixels - lens[:, 3:5]) / lens[:, 1:3], lens), lens)


def direction_to_pixel(
    directions: Float[Tensor, "points 3"], lens: Float[Tensor, "points 17"]
) -> tuple[Float[Tensor, "points 2"], Float[Tensor, "points"]]:
    """Return the pixels (float64) of directions of any length, and their depth.

    Depth is z for a perspective camera and the length of the direction for the others. It is at
    most 0 for a direction that the camera does not see: behind a perspective camera, or beyond the
    radius at which the lens model folds back.
    """
    directions, lens = directions.double(), lens.double()
    x, y, z = directions.unbind(-1)
    flat, kind = (x * x + y * y).sqrt(), lens[:, 0]
    # A point in the camera's own plane has no pixel; the floor only keeps the division finite.
    safe = torch.where(z.abs() < 1e-12, 1e-12, z)
    angle = torch.atan2(flat, z)
    scale = torch.where(kind == PERSPECTIVE, 1 / safe, angle / flat.clamp_min(1e-300))
    # On the axis of a fisheye camera the limit of the ratio is 1 / z.
    scale = torch.where((kind == FISHEYE) & (flat < 1e-150), 1 / safe, scale)
    longitude, latitude = torch.atan2(x, z), torch.atan2(y, (x * x + z * z).sqrt())
    sphere = torch.stack([longitude, latitude], -1)
    flat_point = torch.stack([x, y], -1) * scale[:, None]
    ab = torch.where((kind == EQUIRECTANGULAR)[:, None], sphere, flat_point)
    depth = torch.where(kind == PERSPECTIVE, z, directions.norm(dim=-1))
    beyond = (ab.square().sum(-1) > lens[:, 16]) & (kind != EQUIRECTANGULAR)
    depth = torch.where(beyond, -depth.abs(), depth)
    return distort(ab, lens) * lens[:, 1:3] + lens[:, 3:5], depth


def distort(
    ab: Float[Tensor, "points 2"], lens: Float[Tensor, "points 17"]
) -> Float[Tensor, "points 2"]:
    """Return the distorted normalised coordinates ``(a', b')``."""
    k1, k2, k3, k4, d1, d2, d3, p1, p2, s1, s2 = lens[:, 5:16].unbind(-1)
    a, b = ab.unbind(-1)
    q = a * a + b * b
    radial = (1 + q * (k1 + q * (k2 + q * (k3 + q * k4)))) / (1 + q * (d1 + q * (d2 + q * d3)))
    across = a * radial + 2 * p1 * a * b + p2 * (q + 2 * a * a) + s1 * q
    down = b * radial + 2 * p2 * a * b + p1 * (q + 2 * b * b) + s2 * q
    return torch.stack([across, down], -1)


def undistort(
    target: Float[Tensor, "points 2"], lens: Float[Tensor, "points 17"]
) -> Float[Tensor, "points 2"]:
    """Return the normalised coordinates that `distort` maps to ``target``.

    Newton's method from ``target``, with the step halved where it does not come closer.
    """
    ab, step = target.clone(), torch.ones_like(target[:, :1])
    error = target - distort(ab, lens)
    for _ in range(ITERATIONS):
        trial = ab + step * _solve(_jacobian(ab, lens), error)
        left = target - distort(trial, lens)
        better = (left.square().sum(-1) < error.square().sum(-1))[:, None]
        ab, error = torch.where(better, trial, ab), torch.where(better, left, error)
        step = torch.where(better, (2 * step).clamp_max(1.0), 0.5 * step)
    return ab


def direction_of(
    ab: Float[Tensor, "points 2"], lens: Float[Tensor, "points 17"]
) -> Float[Tensor, "points 3"]:
    """Return the unit directions with these normalised coordinates."""
    a, b = ab.unbind(-1)
    one = torch.ones_like(a)
    length = (a * a + b * b + 1).sqrt()
    straight = torch.stack([a / length, b / length, one / length], -1)
    angle = ab.norm(dim=-1)
    ratio = torch.where(angle < 1e-12, one, angle.sin() / angle.clamp_min(1e-12))
    fisheye = torch.stack([a * ratio, b * ratio, angle.cos()], -1)
    sphere = torch.stack([a.sin() * b.cos(), b.sin(), a.cos() * b.cos()], -1)
    kind = lens[:, :1]
    bent = torch.where(kind == FISHEYE, fisheye, sphere)
    return torch.where(kind == PERSPECTIVE, straight, bent)


def invertible_radius(projection: int, coefficients: tuple[float, ...]) -> float:
    """Return the squared normalised radius up to which the radial part of a lens increases.

    Beyond it the model folds back, and a direction far outside of the image would get a pixel
    inside. Infinity for a perspective lens that never folds back, pi^2 for a fisheye lens.
    """
    k1, k2, k3, k4, d1, d2, d3 = coefficients[:7]
    most = math.pi if projection == FISHEYE else 20.0
    radius = torch.linspace(0, most, 20001, dtype=torch.float64)
    q = radius**2
    below = 1 + q * (d1 + q * (d2 + q * d3))
    image = radius * (1 + q * (k1 + q * (k2 + q * (k3 + q * k4)))) / below
    falls = ((image[1:] <= image[:-1]) | (below[1:] <= 0)).nonzero()
    if len(falls):
        return float(q[int(falls[0])])
    return math.pi**2 if projection == FISHEYE else math.inf


def _jacobian(
    ab: Float[Tensor, "points 2"], lens: Float[Tensor, "points 17"]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return ``da'/da, da'/db, db'/da, db'/db``."""
    k1, k2, k3, k4, d1, d2, d3, p1, p2, s1, s2 = lens[:, 5:16].unbind(-1)
    a, b = ab.unbind(-1)
    q = a * a + b * b
    over = 1 + q * (k1 + q * (k2 + q * (k3 + q * k4)))
    under = 1 + q * (d1 + q * (d2 + q * d3))
    slope = k1 + q * (2 * k2 + q * (3 * k3 + q * 4 * k4))
    slope = (slope - over / under * (d1 + q * (2 * d2 + q * 3 * d3))) / under
    radial, twice = over / under, 2 * slope
    cross = twice * a * b
    return (
        radial + twice * a * a + 2 * p1 * b + 6 * p2 * a + 2 * s1 * a,
        cross + 2 * p1 * a + 2 * p2 * b + 2 * s1 * b,
        cross + 2 * p2 * b + 2 * p1 * a + 2 * s2 * a,
        radial + twice * b * b + 2 * p2 * a + 6 * p1 * b + 2 * s2 * b,
    )


def _solve(jacobian: tuple[Tensor, ...], error: Float[Tensor, "points 2"]) -> Tensor:
    """Return the solution of the 2 x 2 system of each point."""
    aa, ab, ba, bb = jacobian
    determinant = aa * bb - ab * ba
    safe = torch.where(determinant.abs() < 1e-12, 1e-12, determinant)
    across, down = error.unbind(-1)
    return torch.stack([bb * across - ab * down, aa * down - ba * across], -1) / safe[:, None]
