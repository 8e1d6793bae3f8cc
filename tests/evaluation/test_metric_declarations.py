"""A metric declares its unit and better direction itself; no name decides anything."""

import functools
import json

import pytest
from exact_ball import model_of, view_of
from rich.console import Console

from nerfloss.evaluation import metrics
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.metrics.lpips import Lpips
from nerfloss.evaluation.metrics.metadata import MetricMetadata, metadata_of, metric
from nerfloss.evaluation.metrics.stlpips import ShiftTolerantLpips
from nerfloss.evaluation.score_table import score_table

# Of section 5 of the catalogue; the metrics of an evaluation with their directions.
HIGHER = [
    "psnr",
    "psnr_masked",
    "ssim",
    "ms_ssim",
    "mask_iou",
    "mask_accuracy",
    "mask_precision",
    "mask_recall",
    "mask_fbeta",
    "depth_delta1",
    "precision",
    "recall",
    "fscore",
    "normal_consistency",
    "volume_iou",
    "box_iou",
]
LOWER = [
    "lpips_alex",
    "lpips_vgg",
    "lpips_squeeze",
    "depth_abs_rel",
    "depth_rmse",
    "normal_angle",
    "normal_angle_median",
    "normal_l2",
    "mesh_normal_angle",
    "accuracy",
    "completeness",
    "chamfer_l1",
    "chamfer_l2",
    "hausdorff",
    "scan_chamfer",
    "cloud_chamfer",
    "emd",
    "point_to_surface",
]


@pytest.mark.parametrize("name", [*HIGHER, *LOWER])
def test_every_metric_is_importable_by_its_name_and_declares_its_direction(name):
    found = metadata_of(getattr(metrics, name))
    assert found.better == ("higher" if name in HIGHER else "lower")
    assert found.unit is not None
    assert name in metrics.__all__


def test_units_are_declared():
    assert metadata_of(metrics.psnr).unit == "dB"
    assert metadata_of(metrics.chamfer_l1).unit == "scene units"
    assert metadata_of(metrics.chamfer_l2).unit == "scene units, squared"
    assert metadata_of(metrics.normal_angle).unit == "degrees"
    assert metadata_of(metrics.ssim).unit == ""


def test_modules_declare_by_members_and_partials_by_their_function():
    for module in (Lpips(), ShiftTolerantLpips()):
        assert metadata_of(module) == MetricMetadata("", "lower")
    bound = functools.partial(functools.partial(metrics.fscore, threshold=0.1))
    assert metadata_of(bound) == MetricMetadata("", "higher", (0.0, 1.0))


def scored(function, ball, ground_truth, tmp_path):
    evaluator = Evaluator(metrics={"accuracy": function}, geometry={}, mesh=None, images=False)
    evaluator(model_of(ball), [view_of(ball)], ground_truth).write(tmp_path)
    return json.loads((tmp_path / "metrics.json").read_text())


def test_a_users_metric_called_accuracy_has_no_unit_and_no_direction(ball, ground_truth, tmp_path):
    def accuracy(rgb):
        return rgb.mean()

    content = scored(accuracy, ball, ground_truth, tmp_path)
    entry = content["conventions"]["accuracy"]
    assert (entry["units"], entry["better"]) == (None, None)
    console = Console(width=100, record=True)
    console.print(score_table(content))
    assert "None" not in console.export_text()


def test_a_users_metric_with_a_declaration_is_judged_by_it(ball, ground_truth, tmp_path):
    @metric(unit="%", better="higher")
    def accuracy(rgb):
        return 100 * rgb.mean()

    entry = scored(accuracy, ball, ground_truth, tmp_path)["conventions"]["accuracy"]
    assert (entry["units"], entry["better"]) == ("%", "higher")
