"""Lens models on the CPU: one point at a time. `nerfloss.kernels.lens` defines the formulas."""

import math

from nerfloss.kernels.numba.compile import compiled

_FISHEYE, _EQUIRECTANGULAR = 1, 2
_ITERATIONS = 30
_CONVERGED = 1e-28  # squared error in normalised coordinates: 1e-14, far below 1e-6 pixels


@compiled
def pixel_to_direction(pixels, lens, out, begin, end):
    """Write the unit directions of pixels in the camera frame."""
    for i in range(begin, end):
        row = lens[i]
        a = (pixels[i, 0] - row[3]) / row[1]
        b = (pixels[i, 1] - row[4]) / row[2]
        kind = int(row[0])
        if kind == _EQUIRECTANGULAR:
            out[i, 0] = math.sin(a) * math.cos(b)
            out[i, 1] = math.sin(b)
            out[i, 2] = math.cos(a) * math.cos(b)
            continue
        a, b = _undistort(a, b, row)
        if kind == _FISHEYE:
            angle = math.sqrt(a * a + b * b)
            ratio = math.sin(angle) / angle if angle > 1e-12 else 1.0
            out[i, 0], out[i, 1], out[i, 2] = a * ratio, b * ratio, math.cos(angle)
        else:
            length = math.sqrt(a * a + b * b + 1.0)
            out[i, 0], out[i, 1], out[i, 2] = a / length, b / length, 1.0 / length


@compiled
def _undistort(target_a, target_b, row):
    """Return the normalised coordinates that are distorted to the target: Newton's method."""
    a, b, step = target_a, target_b, 1.0
    image = _distort(a, b, row)
    left_a, left_b = target_a - image[0], target_b - image[1]
    error = left_a * left_a + left_b * left_b
    for _ in range(_ITERATIONS):
        if error < _CONVERGED:
            break
        aa, ab, ba, bb = _jacobian(a, b, row)
        determinant = aa * bb - ab * ba
        if abs(determinant) < 1e-12:
            determinant = 1e-12
        new_a = a + step * (bb * left_a - ab * left_b) / determinant
        new_b = b + step * (aa * left_b - ba * left_a) / determinant
        image = _distort(new_a, new_b, row)
        new_left_a, new_left_b = target_a - image[0], target_b - image[1]
        new_error = new_left_a * new_left_a + new_left_b * new_left_b
        if new_error < error:
            a, b, left_a, left_b, error = new_a, new_b, new_left_a, new_left_b, new_error
            step = min(2.0 * step, 1.0)
        else:
            step *= 0.5
    return a, b


@compiled
def _distort(a, b, row):
    q = a * a + b * b
    over = 1.0 + q * (row[5] + q * (row[6] + q * (row[7] + q * row[8])))
    under = 1.0 + q * (row[9] + q * (row[10] + q * row[11]))
    radial, p1, p2 = over / under, row[12], row[13]
    return (
        a * radial + 2.0 * p1 * a * b + p2 * (q + 2.0 * a * a) + row[14] * q,
        b * radial + 2.0 * p2 * a * b + p1 * (q + 2.0 * b * b) + row[15] * q,
    )


@compiled
def _jacobian(a, b, row):
    """Return da'/da, da'/db, db'/da, db'/db."""
    p1, p2, s1, s2 = row[12], row[13], row[14], row[15]
    q = a * a + b * b
    over = 1.0 + q * (row[5] + q * (row[6] + q * (row[7] + q * row[8])))
    under = 1.0 + q * (row[9] + q * (row[10] + q * row[11]))
    radial = over / under
    slope = row[5] + q * (2.0 * row[6] + q * (3.0 * row[7] + q * 4.0 * row[8]))
    slope = (slope - radial * (row[9] + q * (2.0 * row[10] + q * 3.0 * row[11]))) / under
    twice = 2.0 * slope
    cross = twice * a * b
    return (
        radial + twice * a * a + 2.0 * p1 * b + 6.0 * p2 * a + 2.0 * s1 * a,
        cross + 2.0 * p1 * a + 2.0 * p2 * b + 2.0 * s1 * b,
        cross + 2.0 * p2 * b + 2.0 * p1 * a + 2.0 * s2 * a,
        radial + twice * b * b + 2.0 * p2 * a + 6.0 * p1 * b + 2.0 * s2 * b,
    )
