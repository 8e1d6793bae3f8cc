"""Patches in several views on the CPU. `nerfloss.maths.patch_consistency` has the formulas."""

import numpy as np

from nerfloss.kernels.numba.compile import compiled

# As in the definition: luma per byte, smallest cosine and depth, and what counts as flat.
_RED, _GREEN, _BLUE = (np.float32(weight / 255) for weight in (0.299, 0.587, 0.114))
_COSINE, _NEAREST, _FLAT = np.float32(0.1), np.float32(1e-6), np.float32(1e-5)
_SINGULAR = np.float32(1e-12)
_ZERO, _HALF, _ONE, _TWO = (np.float32(x) for x in (0, 0.5, 1, 2))


@compiled
def costs_and_derivatives(
    points, normals, pixel, view, sources, images, projections,
    costs, derivatives, patch, best, begin, end,
):  # fmt: skip
    """Write the costs of rays, and their derivatives by the point and by the normal."""
    area, count = patch * patch, sources.shape[1]
    # What a patch is: the directions of its pixels, then their slope towards the plane, distance,
    # and own grey value; the camera's centre and inverse.
    directions, rows = np.empty((area, 3), np.float32), np.empty((5, area), np.float32)
    camera, other = np.empty((4, 3), np.float32), np.empty((4, 3), np.float32)
    # Of each source: its cost, and the derivatives.
    found = np.empty((count, 7), np.float32)
    for ray in range(begin, end):
        point, normal = points[ray], normals[ray]
        costs[ray] = _ZERO
        derivatives[0, ray] = _ZERO
        derivatives[1, ray] = _ZERO
        _centre_and_inverse(projections[view[ray]], camera)
        image = images[view[ray]]
        if not _on_plane(point, normal, pixel[ray], image, camera, patch, directions, rows):
            continue
        variance, valid = _centred(rows[2]), 0
        for s in range(count):
            source = sources[ray, s]
            _centre_and_inverse(projections[source], other)
            if not _in_front(other[0], point, normal):
                continue
            if not _warp(camera[0], directions, images[source], projections[source], rows):
                continue
            _compare(point, normal, camera[0], directions, variance, rows, found[valid])
            valid += 1
        _mean_of_least(found, valid, best, costs, derivatives, ray)


@compiled
def _compare(point, normal, start, directions, variance, rows, found):
    """Write the cost of a patch in a view, and its derivatives by the point and by the normal."""
    towards, distances, a, b, slopes = rows[0], rows[1], rows[2], rows[3], rows[4]
    spread, covariance = _centred(b), _ZERO
    for i in range(len(a)):
        covariance += a[i] * b[i]
    ratio = covariance / (variance * spread + _FLAT)
    found[0] = _ONE - covariance * ratio
    # By the distances of the pixels, and from there by the plane's height and normal.
    by_height = _ZERO
    found[4:] = _ZERO
    for i in range(len(a)):
        slope = -_TWO * ratio * (a[i] - ratio * variance * b[i]) * slopes[i] / towards[i]
        by_height += slope
        for k in range(3):
            found[4 + k] -= slope * distances[i] * directions[i, k]
    for k in range(3):
        found[1 + k] = by_height * normal[k]
        found[4 + k] += by_height * (point[k] - start[k])


@compiled
def _mean_of_least(found, valid, best, costs, derivatives, ray):
    """Write the mean of the sources with the smallest costs."""
    used = min(best, valid)
    for _ in range(used):
        least = 0
        for s in range(valid):
            if found[s, 0] < found[least, 0]:
                least = s
        costs[ray] += found[least, 0] / np.float32(used)
        # Costs are at most 1: this one is not taken again.
        found[least, 0] = _TWO
        for k in range(3):
            derivatives[0, ray, k] += found[least, 1 + k] / np.float32(used)
            derivatives[1, ray, k] += found[least, 4 + k] / np.float32(used)


@compiled
def _on_plane(point, normal, pixel, image, camera, patch, directions, rows):
    """Write the rays of a patch, where they meet the plane, and the patch's own grey values.

    Return False if the image does not hold the whole patch or sees the plane from behind.
    """
    half, height = np.float32(patch // 2), _ZERO
    left, top = pixel[0] - half, pixel[1] - half
    if left < _HALF or left + _TWO * half > np.float32(image.shape[1]) - _HALF:
        return False
    if top < _HALF or top + _TWO * half > np.float32(image.shape[0]) - _HALF:
        return False
    for k in range(3):
        height += (point[k] - camera[0, k]) * normal[k]
    for i in range(patch * patch):
        x, y = left + np.float32(i % patch), top + np.float32(i // patch)
        along, squares = _ZERO, _ZERO
        for k in range(3):
            direction = camera[1 + k, 0] * x + camera[1 + k, 1] * y + camera[1 + k, 2]
            directions[i, k] = direction
            along += direction * normal[k]
            squares += direction * direction
        if not along < -_COSINE * np.sqrt(squares):
            return False
        rows[0, i], rows[1, i] = along, height / along
        if not rows[1, i] > _ZERO:
            return False
        rows[2, i], _, _ = _interpolated(image, x, y)
    return True


@compiled
def _in_front(centre, point, normal):
    """Return True for a camera on the outer side of the surface, and not too oblique."""
    along, squares = _ZERO, _ZERO
    for k in range(3):
        away = centre[k] - point[k]
        along += away * normal[k]
        squares += away * away
    return along > _COSINE * np.sqrt(squares)


@compiled
def _warp(start, directions, image, camera, rows):
    """Write the grey values of a patch in a view and their derivatives by the distances.

    Return True if the view sees all of it.
    """
    distances, greys, slopes = rows[1], rows[3], rows[4]
    width, height = np.float32(image.shape[1]) - _HALF, np.float32(image.shape[0]) - _HALF
    ox = camera[0, 0] * start[0] + camera[0, 1] * start[1] + camera[0, 2] * start[2] + camera[0, 3]
    oy = camera[1, 0] * start[0] + camera[1, 1] * start[1] + camera[1, 2] * start[2] + camera[1, 3]
    oz = camera[2, 0] * start[0] + camera[2, 1] * start[1] + camera[2, 2] * start[2] + camera[2, 3]
    for i in range(len(distances)):
        dx, dy, dz, t = directions[i, 0], directions[i, 1], directions[i, 2], distances[i]
        sx = camera[0, 0] * dx + camera[0, 1] * dy + camera[0, 2] * dz
        sy = camera[1, 0] * dx + camera[1, 1] * dy + camera[1, 2] * dz
        sz = camera[2, 0] * dx + camera[2, 1] * dy + camera[2, 2] * dz
        depth = oz + t * sz
        if not depth > _NEAREST:
            return False
        scale = _ONE / depth
        x, y = (ox + t * sx) * scale, (oy + t * sy) * scale
        if not (_HALF <= x <= width and _HALF <= y <= height):
            return False
        greys[i], by_column, by_row = _interpolated(image, x, y)
        slopes[i] = (by_column * (sx - x * sz) + by_row * (sy - y * sz)) * scale
    return True


@compiled
def _interpolated(image, x, y):
    """Return the grey value at a column and row, and its derivatives by them."""
    x, y = x - _HALF, y - _HALF
    left, top = min(int(x), max(image.shape[1] - 2, 0)), min(int(y), max(image.shape[0] - 2, 0))
    right, below = min(left + 1, image.shape[1] - 1), min(top + 1, image.shape[0] - 1)
    along, down = x - np.float32(left), y - np.float32(top)
    first, third = _grey(image[top, left]), _grey(image[below, left])
    upper, lower = _grey(image[top, right]) - first, _grey(image[below, right]) - third
    by_row = third + along * lower - (first + along * upper)
    return first + along * upper + down * by_row, upper + down * (lower - upper), by_row


@compiled
def _grey(pixel):
    return (
        _RED * np.float32(pixel[0]) + _GREEN * np.float32(pixel[1]) + _BLUE * np.float32(pixel[2])
    )


@compiled
def _centred(values):
    """Subtract the mean of the values in place, and return the sum of their squares."""
    mean = _ZERO
    for i in range(len(values)):
        mean += values[i]
    mean /= np.float32(len(values))
    squares = _ZERO
    for i in range(len(values)):
        values[i] -= mean
        squares += values[i] * values[i]
    return squares


@compiled
def _centre_and_inverse(camera, out):
    """Write the centre, and the matrix from (column, row, 1) to directions at depth 1."""
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        # Columns of the adjugate are cross products of rows.
        out[1 + 0, k] = camera[i, 1] * camera[j, 2] - camera[i, 2] * camera[j, 1]
        out[1 + 1, k] = camera[i, 2] * camera[j, 0] - camera[i, 0] * camera[j, 2]
        out[1 + 2, k] = camera[i, 0] * camera[j, 1] - camera[i, 1] * camera[j, 0]
    determinant = _ZERO
    for k in range(3):
        determinant += camera[0, k] * out[1 + k, 0]
    if abs(determinant) <= _SINGULAR:
        determinant = _SINGULAR
    for k in range(3):
        for j in range(3):
            out[1 + k, j] /= determinant
        out[0, k] = -(
            out[1 + k, 0] * camera[0, 3]
            + out[1 + k, 1] * camera[1, 3]
            + out[1 + k, 2] * camera[2, 3]
        )
