"""Metrics of images, depth, normals and geometry, by their names."""

from nerfloss.evaluation.metrics.depth import depth_abs_rel, depth_delta1, depth_rmse
from nerfloss.evaluation.metrics.geometry import (
    accuracy,
    box_iou,
    chamfer_l1,
    chamfer_l2,
    completeness,
    fscore,
    hausdorff,
    mesh_normal_angle,
    normal_consistency,
    point_to_surface,
    precision,
    recall,
    volume_iou,
)
from nerfloss.evaluation.metrics.image import (
    mask_accuracy,
    mask_fbeta,
    mask_iou,
    mask_precision,
    mask_recall,
    ms_ssim,
    psnr,
    psnr_masked,
    ssim,
)
from nerfloss.evaluation.metrics.lpips import lpips_alex, lpips_squeeze, lpips_vgg
from nerfloss.evaluation.metrics.metadata import metric
from nerfloss.evaluation.metrics.normal import normal_angle, normal_angle_median, normal_l2

__all__ = [
    "accuracy",
    "box_iou",
    "chamfer_l1",
    "chamfer_l2",
    "completeness",
    "depth_abs_rel",
    "depth_delta1",
    "depth_rmse",
    "fscore",
    "hausdorff",
    "lpips_alex",
    "lpips_squeeze",
    "lpips_vgg",
    "mask_accuracy",
    "mask_fbeta",
    "mask_iou",
    "mask_precision",
    "mask_recall",
    "mesh_normal_angle",
    "metric",
    "ms_ssim",
    "normal_angle",
    "normal_angle_median",
    "normal_consistency",
    "normal_l2",
    "point_to_surface",
    "precision",
    "psnr",
    "psnr_masked",
    "recall",
    "ssim",
    "volume_iou",
]
