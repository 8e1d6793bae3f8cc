"""The ball around the visual hull of object masks, found at any place and scale."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import distance_transform_edt

from nerfloss.data.common_view import meeting_point
from nerfloss.data.enclosing_ball import ball_without_tails
from nerfloss.data.masked_rays import OPAQUE, masked_directions, views_with_outline
from nerfloss.data.posed_cameras import Ball, PosedCameras, spread

# Masks of more views add time and hardly any accuracy.
MASK_VIEWS = 64
# Distances to 64 outlines of 4K take 4 GB and a minute; a few pixels of them do not matter.
LONGEST_SIDE = 2048
CELLS = 32
LEVELS = 4


@dataclass(frozen=True)
class Silhouette:
    """The object mask of one view: distances to the object in pixels of the mask."""

    view: int
    distance: Float[np.ndarray, "height width"]  # 0 inside of the object
    scale: Float[np.ndarray, "2"]  # mask pixels per pixel of the camera
    cut: bool  # the object leaves the image


@dataclass(frozen=True)
class Hull:
    """What the masks say: a ball, or the reason why there is none.

    ``used`` is the number of masks that agree and ``wrong`` are the views whose masks do not.
    ``disagree`` is True if there is no hull because masks and cameras contradict each other.
    """

    ball: Ball | None
    used: int
    wrong: tuple[int, ...] = ()
    reason: str = ""
    disagree: bool = False

    def mapped(self, similarity: Float[np.ndarray, "4 4"]) -> "Hull":
        """Return the hull in other coordinates."""
        return self if self.ball is None else replace(self, ball=self.ball.mapped(similarity))


def hull_ball(cameras: PosedCameras, masks: Sequence[UInt8[np.ndarray, "_ _"] | None]) -> Hull:
    """Return the smallest ball around the visual hull of masks, a few of which may be wrong.

    A mask shows the whole image of its camera at any resolution, object above 127. The rays through
    the masks' centroids meet in the object; a grid around that place is carved and refined to the
    cells that are left. A cell that no image shows is kept where the object leaves the image. Masks
    that miss the place where most others agree are wrong and not used. The frame must be that of
    `PosedCameras.without_units`.
    """
    shown = views_with_outline(masks)
    if len(shown) < 2:
        return Hull(None, len(shown), reason="fewer than two masks show an object and background")
    used = [shown[i] for i in spread(len(shown), MASK_VIEWS)]
    shapes = [_silhouette(cameras, mask, i) for i in used if (mask := masks[i]) is not None]
    center, half = _start(cameras, shapes)
    points, cell = _grid(center, half)
    known, inside = _votes(cameras, shapes, points, cell)
    share = inside.sum(0) / np.maximum(known.sum(0), 1)
    share[known.sum(0) < max(2, 0.5 * len(shapes))] = 0
    if share.max() < 0.7:
        return Hull(None, len(shapes), reason="the masks' rays meet nowhere", disagree=True)
    core = share >= share.max() - 0.02
    agree = (inside & known)[:, core].sum(1) >= 0.5 * known[:, core].sum(1)
    wrong = tuple(s.view for s, good in zip(shapes, agree, strict=True) if not good)
    if len(wrong) > 0.3 * len(shapes) or agree.sum() < 2:
        return Hull(None, len(shapes), wrong, "most masks disagree", True)
    right = [s for s, good in zip(shapes, agree, strict=True) if good]
    cells = _refined(cameras, right, center, half)
    if cells is None:
        # Two views from opposite sides do not bound an object, whatever their poses are.
        proves, reason = len(right) > 2, "the masks' visual hull is empty or has no end"
        return Hull(None, len(right), wrong, reason, disagree=proves)
    rays = [
        (cameras.centers[s.view], directions)
        for s in right
        if (directions := masked_directions(cameras, masks[s.view], s.view)) is not None
    ]
    return Hull(ball_without_tails(*cells, rays), len(right), wrong)


def _silhouette(
    cameras: PosedCameras, mask: UInt8[np.ndarray, "height width"], view: int
) -> Silhouette:
    """Return the silhouette of a mask, reduced to at most `LONGEST_SIDE` pixels."""
    step = -(-max(mask.shape) // LONGEST_SIDE)
    reduced = mask[step // 2 :: step, step // 2 :: step]
    # An object of a few pixels must not be lost.
    mask = reduced if (reduced >= OPAQUE).any() else mask
    opaque = mask >= OPAQUE
    camera = cameras.cameras[view]
    scale = np.array([mask.shape[1] / camera.width, mask.shape[0] / camera.height])
    border = np.concatenate([opaque[0], opaque[-1], opaque[:, 0], opaque[:, -1]])
    distance = np.asarray(distance_transform_edt(~opaque))
    return Silhouette(view, distance, scale, bool(border.sum() > max(2, 0.005 * len(border))))


def _start(cameras: PosedCameras, shapes: list[Silhouette]) -> tuple[Float[np.ndarray, "3"], float]:
    """Return centre and half size of a cube around the object."""
    views = [s.view for s in shapes]
    axes, angles = [], []
    for shape in shapes:
        rows, columns = np.nonzero(shape.distance == 0)
        some = spread(len(rows), 400)
        pixels = (np.stack([columns[some], rows[some]], 1) + 0.5) / shape.scale
        directions = cameras.directions(pixels, shape.view)
        axis = directions.mean(0)
        axis /= max(float(np.linalg.norm(axis)), 1e-12)
        axes.append(axis)
        angles.append(np.arccos(np.clip((directions @ axis).min(), -1, 1)))
    center, _ = meeting_point(cameras.centers[views], np.stack(axes))
    distances = np.linalg.norm(center - cameras.centers[views], axis=1)
    return center, 1.5 * float(np.median(distances * np.tan(np.minimum(angles, 1.2))))


def _grid(
    center: Float[np.ndarray, "3"], half: float
) -> tuple[Float[np.ndarray, "cells 3"], float]:
    """Return the centres of the cells of a cube and the size of a cell."""
    cell = 2 * half / CELLS
    steps = (np.arange(CELLS) + 0.5) * cell - half
    return center + np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3), cell


def _votes(
    cameras: PosedCameras,
    shapes: list[Silhouette],
    points: Float[np.ndarray, "cells 3"],
    cell: float,
) -> tuple[Bool[np.ndarray, "masks cells"], Bool[np.ndarray, "masks cells"]]:
    """Return which views know of a cell, and in which it touches the mask.

    A view does not know of a cell outside of its image if the object leaves the image, too.
    """
    known = np.ones((len(shapes), len(points)), dtype=bool)
    inside = np.zeros_like(known)
    for index, shape in enumerate(shapes):
        pixel, depth = cameras.project(points, shape.view)
        across, down = pixel.T * shape.scale[:, None]
        height, width = shape.distance.shape
        seen = (depth > 0) & (across >= 0) & (across < width) & (down >= 0) & (down < height)
        if shape.cut:
            known[index] = seen
        camera = cameras.cameras[shape.view]
        focal = max(camera.fx * shape.scale[0], camera.fy * shape.scale[1])
        column, row = across[seen].astype(int), down[seen].astype(int)
        reach = 0.5 * cell * focal / depth[seen] + 0.5
        inside[index, seen] = shape.distance[row, column] <= reach
    return known, inside


def _refined(
    cameras: PosedCameras, shapes: list[Silhouette], center: Float[np.ndarray, "3"], half: float
) -> tuple[Float[np.ndarray, "cells 3"], float] | None:
    """Carve ever smaller cubes; return the cells that are left and their size, None without end."""
    points, cell, kept = np.zeros((0, 3)), 0.0, np.zeros(0, dtype=bool)
    grown = 0
    for _ in range(LEVELS + 3):
        points, cell = _grid(center, half)
        known, inside = _votes(cameras, shapes, points, cell)
        count = known.sum(0)
        kept = (count >= 2) & (inside | ~known).all(0)
        if not kept.any():
            return None
        # Where images cut the object off, few of them say how far it extends.
        kept &= count >= 0.5 * count[kept].max()
        low, high = points[kept].min(0) - cell, points[kept].max(0) + cell
        if (np.abs(np.concatenate([low, high]) - np.tile(center, 2)) > half).any():
            grown += 1
            if grown > 2:
                return None
            half *= 2
            continue
        smaller = 0.5 * float((high - low).max())
        if smaller > 0.9 * half:
            break
        center, half = 0.5 * (low + high), smaller
    return points[kept], cell
