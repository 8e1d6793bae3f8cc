"""Epipolar consistency: features matched between neighbouring views against the stated poses."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from nerfloss.data.inspection.inspection import Finding, Row
from nerfloss.data.inspection.view_pictures import ViewPicture
from nerfloss.data.posed_cameras import PosedCameras, spread

PAIRS = 16
SMALLEST = 400
FEWEST, PROOF = 40, 100
# Degrees between the directions of two views beyond which features hardly match.
WIDEST = 50.0


@dataclass(frozen=True)
class EpipolarError:
    """Median symmetric epipolar distance in pixels of the small copies, and that of wrong poses.

    ``shuffled`` is the same for poses exchanged between views. ``matches`` is their number.
    """

    stated: float
    shuffled: float
    matches: int

    @property
    def consistent(self) -> bool:
        """Return False if many matches fit the stated poses no better than exchanged ones.

        Few matches, as on images of some dozen pixels, are mostly wrong and prove nothing.
        """
        better = self.stated < 0.5 * self.shuffled or self.stated < 1.5
        return better or self.matches < PROOF


@dataclass(frozen=True)
class MatchedPair:
    """Two pictures and matched pixels of their small copies."""

    first: ViewPicture
    second: ViewPicture
    pixels: Float[np.ndarray, "matches 2"]
    others: Float[np.ndarray, "matches 2"]


def epipolar_error(
    pictures: Sequence[ViewPicture],
    posed: PosedCameras,
    nearest: Int[np.ndarray, "pictures nearest"],
    seconds: float = 6.0,
) -> EpipolarError | None:
    """Match features and compare; None if too few match within the time."""
    pairs = _matched_pairs(pictures, posed, nearest, seconds)
    if sum(len(pair.pixels) for pair in pairs) < FEWEST:
        return None
    stated = np.concatenate([_distances(pair, posed.poses) for pair in pairs])
    generator = np.random.default_rng(0)
    wrong = []
    for _ in range(5):
        order = generator.permutation(len(posed))
        wrong += [_distances(pair, posed.poses[order]) for pair in pairs]
    return EpipolarError(
        float(np.median(stated)), float(np.median(np.concatenate(wrong))), len(stated)
    )


def epipolar_row(error: EpipolarError | None) -> Row:
    """Return the row on epipolar distances."""
    if error is None:
        return Row("epipolar distance", "too few features match between neighbouring views")
    text = (
        f"median {error.stated:.3g} px over {error.matches} matches, {error.shuffled:.3g} px with "
        "poses exchanged between views (in small copies)"
    )
    return Row("epipolar distance", text)


def epipolar_findings(error: EpipolarError | None) -> list[Finding]:
    """Return a finding if matched features contradict the poses."""
    if error is None or error.consistent:
        return []
    text = (
        f"features that match between neighbouring views lie {error.stated:.3g} px off their "
        f"epipolar lines, no better than with exchanged poses ({error.shuffled:.3g} px): poses do "
        "not belong to these images, or their axes are flipped"
    )
    return [Finding("epipolar", text)]


def _matched_pairs(
    pictures: Sequence[ViewPicture],
    posed: PosedCameras,
    nearest: Int[np.ndarray, "pictures nearest"],
    seconds: float,
) -> list[MatchedPair]:
    """Return the pairs, none where time runs out before half of them: a few prove nothing."""
    end = time.monotonic() + seconds
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    pairs = []
    chosen = list(spread(len(pictures), PAIRS))
    for number, i in enumerate(chosen):
        for j in nearest[i][:1]:
            if time.monotonic() > end:
                return pairs if 2 * number >= len(chosen) else []
            views = pictures[i].view, pictures[int(j)].view
            cosine = float(posed.axes[views[0]] @ posed.axes[views[1]])
            if cosine < np.cos(np.radians(WIDEST)):
                continue
            for k in (i, int(j)):
                if k not in found:
                    found[k] = _features(pictures[k])
            pixels, others = _matches(found[i], found[int(j)])
            if len(pixels):
                pairs.append(MatchedPair(pictures[i], pictures[int(j)], pixels, others))
    return pairs


def _features(picture: ViewPicture) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels (column, row) and descriptors of ORB features where pixels count."""
    from skimage.feature import ORB

    empty = np.zeros((0, 2)), np.zeros((0, 256), dtype=bool)
    # The detector's circles and pyramids need an image of some hundred pixels.
    factor = max(1, -(-SMALLEST // max(picture.grey.shape)))
    height, width = picture.grey.shape
    size = (width * factor, height * factor)
    grey = np.asarray(Image.fromarray(picture.grey).resize(size, Image.Resampling.BICUBIC))
    orb = ORB(n_keypoints=500, fast_threshold=0.03)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            orb.detect_and_extract(grey / 255.0)
    except (RuntimeError, ValueError, IndexError):  # no features, or an image of a few pixels
        return empty
    keypoints, descriptors = np.asarray(orb.keypoints), np.asarray(orb.descriptors)
    if not len(keypoints):
        return empty
    pixels = (keypoints[:, ::-1] + 0.5) / factor
    column, row = np.floor(pixels).astype(int).T
    used = picture.used[row.clip(0, height - 1), column.clip(0, width - 1)]
    return pixels[used], descriptors[used]


def _matches(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    from skimage.feature import match_descriptors

    if min(len(first[0]), len(second[0])) < 8:
        return np.zeros((0, 2)), np.zeros((0, 2))
    index = match_descriptors(first[1], second[1], cross_check=True, max_ratio=0.8)
    return first[0][index[:, 0]], second[0][index[:, 1]]


def _distances(
    pair: MatchedPair, poses: Float[np.ndarray, "views 3 4"]
) -> Float[np.ndarray, "matches"]:
    """Return symmetric epipolar distances: of each ray to the plane of the other, in pixels.

    The angle to the plane times the focal length is the distance to the epipolar line near the
    principal point, for any lens.
    """
    chosen = np.array([pair.first.view, pair.second.view])
    two = PosedCameras(poses[chosen], (pair.first.camera, pair.second.camera))
    rays, others = two.directions(pair.pixels, 0), two.directions(pair.others, 1)
    baseline = two.centers[1] - two.centers[0]
    total = np.zeros(len(rays))
    for a, b, camera in ((rays, others, pair.second.camera), (others, rays, pair.first.camera)):
        plane = np.cross(baseline[None], a)
        length = np.linalg.norm(plane, axis=1, keepdims=True)
        sine = (b * plane).sum(1) / np.maximum(length[:, 0], 1e-12)
        total += np.arcsin(np.clip(np.abs(sine), 0, 1)) * camera.fx / 2
    return total
