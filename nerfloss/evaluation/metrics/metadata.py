"""What a metric's number means to a reader: its units, and whether more is better."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nerfloss.quantities.signature import settings_of

DISTANCE = "scene units"


@dataclass(frozen=True)
class MetricMetadata:
    """Units ("" for a ratio) and the better direction: "higher", "lower" or "" where unknown."""

    units: str = ""
    better: str = ""


def _all(units: str, better: str, *names: str) -> dict[str, MetricMetadata]:
    return dict.fromkeys(names, MetricMetadata(units, better))


# By the name of the function or class that computes it, whatever key it goes by.
MEASURES: Mapping[str, MetricMetadata] = {
    **_all("dB", "higher", "psnr", "psnr_masked"),
    **_all("", "higher", "ssim", "ms_ssim"),
    **_all("", "lower", "Lpips", "ShiftTolerantLpips", "depth_abs_rel", "normal_l2"),
    **_all("", "higher", "mask_iou", "mask_accuracy", "mask_precision", "mask_recall"),
    **_all("", "higher", "mask_fbeta", "depth_delta1", "precision", "recall", "fscore"),
    **_all("", "higher", "normal_consistency", "volume_iou", "box_iou"),
    **_all("degrees", "lower", "normal_angle", "normal_angle_median", "mesh_normal_angle"),
    **_all(DISTANCE, "lower", "depth_rmse", "accuracy", "completeness", "chamfer_l1"),
    **_all(DISTANCE, "lower", "hausdorff", "point_to_surface"),
    **_all(f"{DISTANCE}, squared", "lower", "chamfer_l2"),
}


def measure_of(metric: Callable) -> MetricMetadata:
    """Meaning of a metric, bound settings or not; unknown for a user's own."""
    while isinstance(metric, functools.partial):
        metric = metric.func
    return MEASURES.get(getattr(metric, "__name__", type(metric).__name__), MetricMetadata())


def settings_used(metric: Callable) -> dict[str, Any]:
    """The settings a metric is called with: its defaults, and what a partial has bound."""
    bound = metric.keywords if isinstance(metric, functools.partial) else {}
    return {**settings_of(metric), **bound}
