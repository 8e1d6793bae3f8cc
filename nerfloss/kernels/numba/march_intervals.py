"""Cut the candidate steps of a marched ray into intervals of equal mass."""

import numpy as np

from nerfloss.kernels.numba.compile import compiled


@compiled
def blur_and_mix(mass, taken, uniform_share):
    """Give each step the largest mass of itself and its neighbours, and mix in uniform mass."""
    total, previous = np.float32(0), mass[0]
    for i in range(taken):
        own = mass[i]
        following = mass[i + 1] if i + 1 < taken else own
        mass[i] = max(previous, max(own, following))
        previous = own
        total += mass[i]
    known = total > np.float32(1e-6)
    scale = (1 - uniform_share) / total if known else np.float32(0)
    even = (uniform_share if known else np.float32(1)) / taken
    for i in range(taken):
        mass[i] = mass[i] * scale + even


@compiled
def cut(t, mass, taken, step, longest, shift, starts, ends):
    """Cut the steps, joined end to end, into intervals of equal mass, shortened to ``longest``."""
    count = len(starts)
    total = np.float32(0)
    for i in range(taken):
        total += mass[i]
    at, passed, begin = 0, np.float32(0), np.float32(0)
    for interval in range(count):
        end = np.float32(taken)
        if interval < count - 1:
            level = (interval + shift) / (count - 1) * total
            while at < taken - 1 and passed + mass[at] <= level:
                passed += mass[at]
                at += 1
            inside = (level - passed) / mass[at]
            end = at + min(max(inside, np.float32(0)), np.float32(1))
        length = max(end - begin, np.float32(0))
        middle = begin + np.float32(0.5) * length
        whole = min(int(middle), taken - 1)
        center = t[whole] + step * (middle - whole)
        half = np.float32(0.5) * step * min(length, longest)
        starts[interval] = center - half
        ends[interval] = center + half
        begin = end
