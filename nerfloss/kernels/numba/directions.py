"""Unit vectors and spherical harmonics on the CPU.

`nerfloss.maths.directions` and `nerfloss.maths.spherical_harmonics` define what is computed.
"""

import numpy as np

from nerfloss.kernels.numba.compile import compiled

# As in the definition: the floor of a length.
_SHORTEST = np.float32(1e-6)
_ONE, _THREE, _FIVE = np.float32(1), np.float32(3), np.float32(5)
_B = tuple(
    np.float32(x)
    for x in (
        0.28209479177387814, 0.48860251190291987, 1.0925484305920792, 0.94617469575755997,
        0.31539156525251999, 0.54627421529603959, 0.59004358992664352, 2.8906114426405538,
        0.45704579946446572, 0.3731763325901154, 1.4453057213202769,
    )
)  # fmt: skip


@compiled
def unit(vectors, out):
    """Write vectors divided by their lengths."""
    for i in range(len(vectors)):
        x, y, z = vectors[i, 0], vectors[i, 1], vectors[i, 2]
        inverse = _ONE / max(np.sqrt(x * x + y * y + z * z), _SHORTEST)
        out[i, 0], out[i, 1], out[i, 2] = x * inverse, y * inverse, z * inverse


@compiled
def unit_backward(vectors, grad_unit, out):
    """Write the gradient of the vectors: its component across them; all of it below the floor."""
    for i in range(len(vectors)):
        x, y, z = vectors[i, 0], vectors[i, 1], vectors[i, 2]
        length = np.sqrt(x * x + y * y + z * z)
        inverse = _ONE / max(length, _SHORTEST)
        along = np.float32(0)
        if length > _SHORTEST:
            dot = x * grad_unit[i, 0] + y * grad_unit[i, 1] + z * grad_unit[i, 2]
            along = dot * inverse * inverse
        for axis in range(3):
            out[i, axis] = (grad_unit[i, axis] - along * vectors[i, axis]) * inverse


@compiled
def harmonics(directions, out):
    """Write the 16 harmonics of each direction, as ``16 directions``."""
    for i in range(len(directions)):
        x, y, z = directions[i, 0], directions[i, 1], directions[i, 2]
        xx, yy, zz = x * x, y * y, z * z
        out[0, i] = _B[0]
        out[1, i], out[2, i], out[3, i] = -_B[1] * y, _B[1] * z, -_B[1] * x
        out[4, i], out[5, i] = _B[2] * x * y, -_B[2] * y * z
        out[6, i] = _B[3] * zz - _B[4]
        out[7, i], out[8, i] = -_B[2] * x * z, _B[5] * (xx - yy)
        out[9, i] = -_B[6] * y * (_THREE * xx - yy)
        out[10, i] = _B[7] * x * y * z
        out[11, i] = _B[8] * y * (_ONE - _FIVE * zz)
        out[12, i] = _B[9] * z * (_FIVE * zz - _THREE)
        out[13, i] = _B[8] * x * (_ONE - _FIVE * zz)
        out[14, i] = _B[10] * z * (xx - yy)
        out[15, i] = -_B[6] * x * (xx - _THREE * yy)
