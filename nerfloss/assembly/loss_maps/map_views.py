"""Views for loss maps: photographs at a lower resolution with what a batch has beside its rays."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from nerfloss.assembly.eval_adapter import view_at
from nerfloss.assembly.loss_maps.term_inputs import axes_of
from nerfloss.data.pixel_samplers.batch import Batch
from nerfloss.data.scene import Scene
from nerfloss.evaluation.image_rendering import View


def map_view(scene: Scene, split: str, index: int, downscale: int = 1) -> View:
    """Return a view of a split with its targets; of each square of pixels the middle one is kept.

    The rays that remain are rays of the photograph, so that a term per ray has the values that it
    has there. Patches consist of the remaining pixels. Raises ValueError for a ``downscale`` below
    1, or one that leaves no pixel.
    """
    view = view_at(scene, split, index)
    if downscale < 1 or min(view.height, view.width) < downscale:
        raise ValueError(
            f"a downscale of {downscale} does not fit a view of {view.width} x {view.height} "
            f"pixels: give a whole number from 1"
        )
    pose = (scene.train if split == "train" else scene.test).cameras.poses[index]
    rays, targets = view.batch.rays, dict(view.batch.targets)
    targets["axis_cosine"] = (rays.directions * pose[:, 2].to(rays.directions)).sum(-1)
    rows, columns = (
        torch.arange(downscale // 2, size - size % downscale, downscale)
        for size in (view.height, view.width)
    )
    kept = (rows[:, None] * view.width + columns).reshape(-1).to(rays.origins.device)
    batch = Batch(rays[kept], {name: value[kept] for name, value in targets.items()})
    counts = None if view.counts is None else view.counts[rows][:, columns]
    return View(view.name, batch, len(rows), len(columns), counts)


def without_targets(view: View) -> View:
    """Return the camera of a view alone, as of an image that was never taken."""
    return replace(view, batch=Batch(view.batch.rays, {}))


def batch_constants(targets: Mapping[str, Any]) -> dict[str, Any]:
    """Return those targets of a training batch that are not of its rays or points.

    The shape of patches, and what describes all training views: what `term_maps` takes as
    ``given``.
    """
    return {
        name: value
        for name, value in targets.items()
        if name == "patch_shape" or axes_of(name)[:1] == ["views"]
    }
