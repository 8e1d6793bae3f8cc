"""Opacity and compositing along rays on the CPU: one pass forward, one backward.

`nerfloss.maths.sdf_opacity` and `nerfloss.maths.compositing` define what is computed.
"""

import numpy as np

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.exponentials import sigmoid

# As in the definitions: below this light a NeuS sample is transparent; the most opaque sample.
_DARK = np.float32(1e-5)
_OPAQUE = np.float32(1 - 1e-7)
_HALF, _ONE = np.float32(0.5), np.float32(1)


@compiled
def alphas(sdf, gradients, directions, starts, ends, sharpness, late, out):
    """Write NeuS's opacity. ``late`` is the share of the annealing that is done."""
    for ray in range(len(out)):
        direction = directions[ray]
        for i in range(out.shape[1]):
            cosine, length = _dot(gradients[ray, i], direction), ends[ray, i] - starts[ray, i]
            before, after, _ = _ends(sdf[ray, i], cosine, length, sharpness, late)
            share = (before - after) / (before + _DARK)
            share = np.float32(0) if share < 0 else share
            out[ray, i] = _ONE if share > _ONE else share


@compiled
def alphas_backward(
    sdf, gradients, directions, starts, ends, sharpness, late, to_alphas, to_sdf, to_gradients
):  # fmt: skip
    """Write the derivatives by sdf and gradients; return that by the sharpness."""
    to_sharpness = 0.0
    for ray in range(len(to_alphas)):
        direction = directions[ray]
        for i in range(to_alphas.shape[1]):
            cosine, length = _dot(gradients[ray, i], direction), ends[ray, i] - starts[ray, i]
            value = sdf[ray, i]
            before, after, change = _ends(value, cosine, length, sharpness, late)
            floored = before + _DARK
            share = (before - after) / floored
            passing = to_alphas[ray, i] if share >= 0 and share <= _ONE else np.float32(0)
            # z_: derivatives by what stands in the two sigmoids
            z_before = passing * (after + _DARK) / (floored * floored) * before * (_ONE - before)
            z_after = -passing / floored * after * (_ONE - after)
            to_sdf[ray, i] = sharpness * (z_before + z_after)
            to_sharpness += z_before * (value - change) + z_after * (value + change)
            early = _HALF * (_ONE - late) if cosine < _ONE else np.float32(0)
            bend = early + (late if cosine < 0 else np.float32(0))
            to_cosine = sharpness * (z_after - z_before) * _HALF * length * bend
            for axis in range(3):
                to_gradients[ray, i, axis] = to_cosine * direction[axis]
    return to_sharpness


@compiled
def _dot(vector, other):
    return vector[0] * other[0] + vector[1] * other[1] + vector[2] * other[2]


@compiled
def _ends(sdf, cosine, length, sharpness, late):
    """The sigmoids at both ends of an interval, and half the change of the SDF between them."""
    early = _HALF - _HALF * cosine
    early = early if early > 0 else np.float32(0)
    falling = -cosine if cosine < 0 else np.float32(0)
    change = -_HALF * (early * (_ONE - late) + falling * late) * length
    return sigmoid(sharpness * (sdf - change)), sigmoid(sharpness * (sdf + change)), change


@compiled
def weights(alphas, out):
    """Write the share of light that each sample stops."""
    for ray in range(len(alphas)):
        light = _ONE
        for i in range(alphas.shape[1]):
            out[ray, i] = light * alphas[ray, i]
            light *= _ONE - min(alphas[ray, i], _OPAQUE)


@compiled
def weights_backward(alphas, to_weights, out):
    """Write the derivative by the opacities."""
    light = np.empty(alphas.shape[1], np.float32)
    for ray in range(len(alphas)):
        left = _ONE
        for i in range(alphas.shape[1]):
            light[i] = left
            left *= _ONE - min(alphas[ray, i], _OPAQUE)
        behind = np.float32(0)
        for i in range(alphas.shape[1] - 1, -1, -1):
            a, to_w = alphas[ray, i], to_weights[ray, i]
            shadow = behind / (_ONE - a) if a <= _OPAQUE else np.float32(0)
            out[ray, i] = light[i] * to_w - shadow
            behind += light[i] * a * to_w


@compiled
def sums(weights, values, out):
    """Write each ray's sum of values by weight."""
    for ray in range(len(out)):
        for channel in range(out.shape[1]):
            total = np.float32(0)
            for i in range(weights.shape[1]):
                total += weights[ray, i] * values[ray, i, channel]
            out[ray, channel] = total


@compiled
def sums_backward(weights, values, to_sums, to_weights, to_values):
    """Write the derivatives by weights and by values."""
    for ray in range(len(to_sums)):
        for i in range(weights.shape[1]):
            total = np.float32(0)
            for channel in range(to_sums.shape[1]):
                total += values[ray, i, channel] * to_sums[ray, channel]
                to_values[ray, i, channel] = weights[ray, i] * to_sums[ray, channel]
            to_weights[ray, i] = total
