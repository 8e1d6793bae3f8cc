"""Pairs of images whose features are compared: all, neighbours in a sequence, or similar ones."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

MATCHING = ("auto", "exhaustive", "sequential", "retrieval")
# Up to this number of photographs all pairs are compared.
ALL_PAIRS = 150
# In a sequence: the next ten images, and then every power of two ahead.
OVERLAP = 10
SIMILAR = 30
WORDS = 64


def choose_matching(count: int, video: bool, asked: str = "auto") -> str:
    """Return the kind of matching for a number of images."""
    if asked not in MATCHING:
        raise ValueError(f"matching must be one of {', '.join(MATCHING)}, got {asked!r}")
    if asked != "auto":
        return asked
    if video:
        return "sequential"
    return "exhaustive" if count <= ALL_PAIRS else "retrieval"


def exhaustive_pairs(count: int, block: int = 50) -> list[tuple[int, int]]:
    """Return all pairs, block by block: features of 2 blocks are in memory at once."""
    pairs = []
    for first in range(0, count, block):
        for second in range(first, count, block):
            pairs += [
                (a, b)
                for a in range(first, min(first + block, count))
                for b in range(max(a + 1, second), min(second + block, count))
            ]
    return pairs


def sequential_pairs(count: int, overlap: int = OVERLAP) -> list[tuple[int, int]]:
    """Return each image with the next ``overlap`` ones, and with those 2^k ahead of it."""
    steps = {*range(1, overlap + 1), *(2**k for k in range(count.bit_length()) if 2**k < count)}
    ahead = sorted(step for step in steps if step <= max(overlap, 2 * overlap**2))
    return [(a, a + step) for a in range(count) for step in ahead if a + step < count]


def similar_pairs(
    descriptions: Float[np.ndarray, "images numbers"], each: int = SIMILAR
) -> list[tuple[int, int]]:
    """Return each image with the ``each`` others whose descriptions are nearest."""
    similarity = descriptions @ descriptions.T
    np.fill_diagonal(similarity, -np.inf)
    each = min(each, len(descriptions) - 1)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :each]
    found = {(min(a, int(b)), max(a, int(b))) for a, row in enumerate(nearest) for b in row}
    return sorted(found)


def vocabulary(
    descriptors: Float[np.ndarray, "descriptors 128"],
    rng: np.random.Generator,
    words: int = WORDS,
    rounds: int = 10,
) -> Float[np.ndarray, "words 128"]:
    """Return the centres of clusters of descriptors (k-means), of the scene's own images."""
    chosen = rng.choice(len(descriptors), min(words, len(descriptors)), replace=False)
    centres = descriptors[chosen]
    for _ in range(rounds):
        nearest = _nearest(descriptors, centres)
        counts = np.bincount(nearest, minlength=len(centres))
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, descriptors)
        used = counts > 0
        centres = np.where(used[:, None], sums / np.maximum(counts, 1)[:, None], centres)
    return centres


def describe(
    descriptors: Float[np.ndarray, "descriptors 128"], centres: Float[np.ndarray, "words 128"]
) -> Float[np.ndarray, "numbers"]:
    """Return one unit vector for an image: sums of residuals to the nearest centre, per centre.

    Each centre's sum is normalised. Without descriptors it is 0. Reference: Jegou et al. 2010,
    Aggregating local descriptors into a compact image representation; Arandjelovic and Zisserman
    2013, All about VLAD.
    """
    sums = np.zeros_like(centres)
    if len(descriptors):
        nearest = _nearest(descriptors, centres)
        np.add.at(sums, nearest, descriptors - centres[nearest])
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    flat = sums.ravel()
    return flat / max(float(np.linalg.norm(flat)), 1e-12)


def _nearest(
    descriptors: Float[np.ndarray, "descriptors 128"], centres: Float[np.ndarray, "words 128"]
) -> np.ndarray:
    # |d - c|^2 = |d|^2 - 2 d c + |c|^2, of which |d|^2 does not matter.
    return np.argmin((centres**2).sum(1) - 2 * descriptors @ centres.T, axis=1)


def retrieved_pairs(
    descriptors: Iterable[np.ndarray], seed: int, each: int
) -> list[tuple[int, int]]:
    """Return each image with the ``each`` most similar others, by their descriptors."""
    # 1000 descriptors per image are enough to compare images, and bound the memory.
    rng = np.random.default_rng(seed)
    kept = [
        d if len(d) <= 1000 else d[rng.choice(len(d), 1000, replace=False)] for d in descriptors
    ]
    together = np.concatenate([d[:200] for d in kept])
    if not len(together):
        return exhaustive_pairs(len(kept))
    centres = vocabulary(together, rng)
    return similar_pairs(np.stack([describe(d, centres) for d in kept]), each)
