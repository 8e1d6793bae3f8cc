"""Opacity and compositing along rays: one loop forward, one backward.

`nerfloss.maths.sdf_opacity` and `nerfloss.maths.compositing` define what is computed. Functions
write to ``out``, or to the arrays named ``grad_x``, the gradients with respect to x.
"""

import numpy as np

from nerfloss.kernels.numba.compile import compiled
from nerfloss.kernels.numba.exponentials import sigmoid

# As in the definitions: the floor of the denominator of NeuS's opacity; the largest opacity.
_FLOOR = np.float32(1e-5)
_MAX_ALPHA = np.float32(1 - 1e-7)
_HALF, _ONE = np.float32(0.5), np.float32(1)


@compiled
def alphas(sdf, gradients, directions, starts, ends, sharpness, anneal_ratio, out):
    """Write NeuS's opacity."""
    for ray in range(len(out)):
        direction = directions[ray]
        for i in range(out.shape[1]):
            cosine, length = _dot(gradients[ray, i], direction), ends[ray, i] - starts[ray, i]
            before, after, _ = _ends(sdf[ray, i], cosine, length, sharpness, anneal_ratio)
            share = (before - after) / (before + _FLOOR)
            share = np.float32(0) if share < 0 else share
            out[ray, i] = _ONE if share > _ONE else share


@compiled
def alphas_backward(
    sdf, gradients, directions, starts, ends, sharpness, anneal_ratio,
    grad_alphas, grad_sdf, grad_gradients,
):  # fmt: skip
    """Write the gradients of sdf and gradients; return that of the sharpness."""
    grad_sharpness = 0.0
    for ray in range(len(grad_alphas)):
        direction = directions[ray]
        for i in range(grad_alphas.shape[1]):
            cosine, length = _dot(gradients[ray, i], direction), ends[ray, i] - starts[ray, i]
            value = sdf[ray, i]
            before, after, change = _ends(value, cosine, length, sharpness, anneal_ratio)
            floored = before + _FLOOR
            share = (before - after) / floored
            grad_share = grad_alphas[ray, i] if share >= 0 and share <= _ONE else np.float32(0)
            # z_: gradients of the arguments of the two sigmoids
            z_before = (
                grad_share * (after + _FLOOR) / (floored * floored) * before * (_ONE - before)
            )
            z_after = -grad_share / floored * after * (_ONE - after)
            grad_sdf[ray, i] = sharpness * (z_before + z_after)
            grad_sharpness += z_before * (value - change) + z_after * (value + change)
            relaxed = _HALF * (_ONE - anneal_ratio) if cosine < _ONE else np.float32(0)
            slope = relaxed + (anneal_ratio if cosine < 0 else np.float32(0))
            grad_cosine = sharpness * (z_after - z_before) * _HALF * length * slope
            for axis in range(3):
                grad_gradients[ray, i, axis] = grad_cosine * direction[axis]
    return grad_sharpness


@compiled
def _dot(vector, other):
    return vector[0] * other[0] + vector[1] * other[1] + vector[2] * other[2]


@compiled
def _ends(sdf, cosine, length, sharpness, anneal_ratio):
    """Return the sigmoids at both ends of an interval, and half the change of the SDF."""
    relaxed = _HALF - _HALF * cosine
    relaxed = relaxed if relaxed > 0 else np.float32(0)
    descending = -cosine if cosine < 0 else np.float32(0)
    change = -_HALF * (relaxed * (_ONE - anneal_ratio) + descending * anneal_ratio) * length
    return sigmoid(sharpness * (sdf - change)), sigmoid(sharpness * (sdf + change)), change


@compiled
def weights(alphas, out):
    """Write the compositing weights."""
    for ray in range(len(alphas)):
        transmittance = _ONE
        for i in range(alphas.shape[1]):
            out[ray, i] = transmittance * alphas[ray, i]
            transmittance *= _ONE - min(alphas[ray, i], _MAX_ALPHA)


@compiled
def weights_backward(alphas, grad_weights, out):
    """Write the gradient of the opacities."""
    transmittance = np.empty(alphas.shape[1], np.float32)
    for ray in range(len(alphas)):
        remaining = _ONE
        for i in range(alphas.shape[1]):
            transmittance[i] = remaining
            remaining *= _ONE - min(alphas[ray, i], _MAX_ALPHA)
        behind = np.float32(0)
        for i in range(alphas.shape[1] - 1, -1, -1):
            a, grad_w = alphas[ray, i], grad_weights[ray, i]
            occluded = behind / (_ONE - a) if a <= _MAX_ALPHA else np.float32(0)
            out[ray, i] = transmittance[i] * grad_w - occluded
            behind += transmittance[i] * a * grad_w


@compiled
def sums(weights, values, out):
    """Write each ray's weighted sum of values."""
    for ray in range(len(out)):
        for channel in range(out.shape[1]):
            total = np.float32(0)
            for i in range(weights.shape[1]):
                total += weights[ray, i] * values[ray, i, channel]
            out[ray, channel] = total


@compiled
def sums_backward(weights, values, grad_sums, grad_weights, grad_values):
    """Write the gradients of weights and values."""
    for ray in range(len(grad_sums)):
        for i in range(weights.shape[1]):
            total = np.float32(0)
            for channel in range(grad_sums.shape[1]):
                total += values[ray, i, channel] * grad_sums[ray, channel]
                grad_values[ray, i, channel] = weights[ray, i] * grad_sums[ray, channel]
            grad_weights[ray, i] = total
